//! Settings of the sink: flags and environment variables; `--help` is the reference.

use std::time::Duration;

use clap::{Args, Parser};
use events_kafka::EventsTopic;
use kafka_client::KafkaConfig;
use protect::ProtectionConfig;
use runtime::config::{
    DatabaseConfig, ListenConfig, ServiceCommand, ShutdownConfig, TelemetryConfig,
};
use runtime::connection::ConnectionConfig;
use runtime::threads::ThreadsConfig;

/// Merges events from Kafka into PostgreSQL, each once. Any number of sinks share the partitions.
#[derive(Clone, Debug, Parser)]
#[command(name = "sink", version)]
pub struct Config {
    /// What to do instead of merging
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,

    /// Port of GET /metrics and GET /health; 0 takes a free one
    #[arg(long, env = "ADMIN_PORT", default_value = "9092", value_name = "PORT")]
    pub admin_port: u16,

    /// Address to bind.
    #[command(flatten)]
    pub listen: ListenConfig,
    /// The application database.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where events come from.
    #[command(flatten)]
    pub merging: MergingConfig,
    /// TLS, principals, limits.
    #[command(flatten)]
    pub protection: ProtectionConfig,
    /// Connections of clients.
    #[command(flatten)]
    pub connections: ConnectionConfig,
    /// Worker threads.
    #[command(flatten)]
    pub threads: ThreadsConfig,
    /// How the service stops.
    #[command(flatten)]
    pub shutdown: ShutdownConfig,
    /// What is logged.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// How events are read and merged.
#[derive(Args, Clone, Debug)]
pub struct MergingConfig {
    /// Kafka.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// The topic of events.
    #[command(flatten)]
    pub events: EventsTopic,

    /// Kafka topic for what cannot be merged, with its reason; EVENTS_TOPIC-dead where it is left out
    #[arg(long, env = "DEAD_LETTER_TOPIC", value_name = "TOPIC")]
    pub dead_letter_topic: Option<String>,

    /// Events that one transaction may merge
    #[arg(long, env = "MAX_BATCH_EVENTS", default_value = "256", value_parser = runtime::config::count(1..=10_000_u32))]
    pub max_batch_events: u32,

    /// Longest wait for Kafka at the start and for a dead letter, and for PostgreSQL to merge a batch
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = runtime::config::time_limit())]
    pub request_timeout: Duration,
}

impl MergingConfig {
    /// The topic of what cannot be merged.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        let named = self.dead_letter_topic.clone();
        named.unwrap_or_else(|| format!("{}-dead", self.events.events_topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
        let config = runtime::config::parse_from::<Config, _, _>(["sink"]).expect("defaults");
        assert_eq!(config.merging.dead_letters(), "events-dead");
    }
}
