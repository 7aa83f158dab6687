//! Settings of topics: flags and environment variables; `--help` is the reference.

use std::time::Duration;

use clap::Args;

/// `queue_capacity` where nothing else is said.
const QUEUE_CAPACITY: u32 = 64 * 1024;

/// How topics are kept and consumed.
#[derive(Args, Clone, Debug)]
pub struct TopicsConfig {
    /// Segment files of topics that stay open beside those in use
    #[arg(long, env = "TOPICS_OPEN_FILES", default_value = "512", value_name = "N", value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    pub topics_open_files: u32,

    /// Longest time from an append with acks 0 or 1 until a sync of it begins; bounds what is read again after a crash
    #[arg(long, env = "TOPICS_SYNC_INTERVAL", default_value = "2s", value_name = "DURATION", value_parser = runtime::config::duration)]
    pub topics_sync_interval: Duration,

    /// From one look for what retention does not keep to the next; segments are looked at too when a new one begins
    #[arg(long, env = "TOPICS_RETENTION_INTERVAL", default_value = "5s", value_name = "DURATION", value_parser = retention_interval)]
    pub topics_retention_interval: Duration,

    /// How long a consumer group prepares when a member has come or gone, so that what is under way can be committed
    #[arg(long, env = "GROUP_REBALANCE_DELAY", default_value = "100ms", value_name = "DURATION", value_parser = runtime::config::duration)]
    pub group_rebalance_delay: Duration,

    /// Appends that may wait at one partition; the server sets it to `QUEUE_CAPACITY`.
    #[arg(skip = QUEUE_CAPACITY)]
    pub queue_capacity: u32,
}

impl Default for TopicsConfig {
    /// As without flags and environment variables.
    fn default() -> Self {
        Self {
            topics_open_files: 512,
            topics_sync_interval: Duration::from_secs(2),
            topics_retention_interval: Duration::from_secs(5),
            group_rebalance_delay: Duration::from_millis(100),
            queue_capacity: QUEUE_CAPACITY,
        }
    }
}

fn retention_interval(text: &str) -> Result<Duration, String> {
    let interval = runtime::config::duration(text)?;
    let allowed = Duration::from_millis(10)..=Duration::from_secs(10);
    if allowed.contains(&interval) {
        Ok(interval)
    } else {
        Err("must be from 10ms to 10s".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        topics: TopicsConfig,
    }

    #[test]
    fn the_defaults_are_those_of_the_command_line() {
        let parsed = Command::parse_from(["test"]).topics;
        assert_eq!(
            format!("{parsed:?}"),
            format!("{:?}", TopicsConfig::default())
        );
        assert!(Command::try_parse_from(["test", "--topics-retention-interval", "11s"]).is_err());
    }
}
