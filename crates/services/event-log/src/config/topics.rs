//! Settings of topics: flags and environment variables; `--help` is the reference.

use std::time::Duration;

use clap::{Args, ValueEnum};
use group_commit::Terms;
use topics::Options;

use super::range::within;

/// What keeps topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopicsBackend {
    /// Files in EVENT_LOG_DIR
    Files,
    /// Apache Kafka; needs a program built with --features kafka
    Kafka,
}

/// How topics are kept and consumed.
#[derive(Args, Clone, Debug)]
pub struct TopicsConfig {
    /// What keeps topics; hash-chained partitions are files in any case
    #[arg(long, env = "TOPICS_BACKEND", value_enum, default_value = "files")]
    pub topics_backend: TopicsBackend,

    /// Kafka, where it keeps the topics.
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    pub kafka: kafka_client::KafkaConfig,

    /// Segment files of topics that stay open beside those in use
    #[arg(long, env = "TOPICS_OPEN_FILES", default_value = "512", value_name = "N", value_parser = clap::value_parser!(u32).range(16..=1_000_000))]
    pub topics_open_files: u32,

    /// Longest time from an append with acks 0 or 1 until a sync of it begins, 10ms to 1h; bounds what is read again after a crash
    #[arg(long, env = "TOPICS_SYNC_INTERVAL", default_value = "2s", value_name = "DURATION", value_parser = sync_interval)]
    pub topics_sync_interval: Duration,

    /// From one look for what retention does not keep to the next, 10ms to 10s; segments are looked at too when a new one begins
    #[arg(long, env = "TOPICS_RETENTION_INTERVAL", default_value = "5s", value_name = "DURATION", value_parser = retention_interval)]
    pub topics_retention_interval: Duration,

    /// How long a consumer group prepares when a member has come or gone, 0 to 1m, so that what is under way can be committed
    #[arg(long, env = "GROUP_REBALANCE_DELAY", default_value = "100ms", value_name = "DURATION", value_parser = rebalance_delay)]
    pub group_rebalance_delay: Duration,
}

impl TopicsConfig {
    /// As the library takes them.
    #[must_use]
    pub fn options(&self, terms: Terms) -> Options {
        Options {
            open_files: self.topics_open_files as usize,
            sync_interval: self.topics_sync_interval,
            retention_interval: self.topics_retention_interval,
            rebalance_delay: self.group_rebalance_delay,
            terms,
        }
    }
}

fn sync_interval(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(10)..=Duration::from_secs(3600))
}

fn retention_interval(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(10)..=Duration::from_secs(10))
}

fn rebalance_delay(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO..=Duration::from_secs(60))
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
    fn the_defaults_are_those_of_the_library() {
        let parsed = Command::parse_from(["test"]).topics;
        let (ours, library) = (parsed.options(Terms::default()), Options::default());
        assert_eq!(format!("{ours:?}"), format!("{library:?}"));
    }

    #[test]
    fn intervals_have_a_range_and_zero_is_refused_where_it_makes_no_sense() {
        for (flag, value, range) in [
            ("--topics-retention-interval", "11s", "from 10ms to 10s"),
            ("--topics-sync-interval", "0s", "from 10ms to 1h"),
            ("--topics-sync-interval", "2h", "from 10ms to 1h"),
            ("--group-rebalance-delay", "61s", "from 0s to 1m"),
        ] {
            let refused = Command::try_parse_from(["test", flag, value]);
            let refused = refused.map(|_| ()).expect_err(value).to_string();
            assert!(
                refused.contains(flag) && refused.contains(range),
                "{refused}"
            );
        }
        let parsed = Command::parse_from(["test", "--group-rebalance-delay", "0"]).topics;
        assert!(parsed.group_rebalance_delay.is_zero());
    }
}
