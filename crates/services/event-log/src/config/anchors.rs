//! Settings of anchors: flags and environment variables; `--help` is the reference.

use std::time::Duration;

use clap::Args;

use super::range::within;

/// Where the heads of hash-chained partitions are anchored.
#[derive(Args, Clone, Debug)]
pub struct AnchorConfig {
    /// Kafka topic into which the head of each hash-chained partition is written, made where it is not there; needs
    /// TOPICS_BACKEND=kafka
    #[arg(long, env = "ANCHOR_TOPIC", value_name = "TOPIC")]
    pub anchor_topic: Option<String>,

    /// From one anchor of a chain that grows to the next, 100ms to 1day
    #[arg(long, env = "ANCHOR_INTERVAL", default_value = "10s", value_name = "DURATION", value_parser = interval)]
    pub anchor_interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    within(
        text,
        Duration::from_millis(100)..=Duration::from_secs(24 * 60 * 60),
    )
}
