//! Settings of ingestion, the same for both producers.

use std::time::Duration;

use clap::{Args, ValueEnum};
use runtime::config::{bytes, count, time_limit};

/// PostgreSQL takes no jsonb value that is larger, and no bulk body needs more memory than this.
const MOST_BYTES: u32 = 1024 * 1024 * 1024;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WriteMode {
    /// Group commit: waiting events share one multi-row upsert and one commit.
    Group,
    /// One upsert a request on a pooled connection. Kept to show what group commit is worth.
    Single,
    /// The flow of earlier systems: read whether the entity exists, then insert or update. Loses updates
    /// when two requests change one entity at the same time; for measurement only.
    ReadThenWrite,
    /// To Apache Kafka, acknowledged by all replicas in sync; the service sink merges.
    #[cfg(feature = "kafka")]
    Kafka,
}

/// Flags and environment variables of ingestion.
#[derive(Args, Clone, Debug)]
pub struct IngestConfig {
    /// How events are written
    #[arg(long, env = "WRITE_MODE", value_enum, default_value = "group")]
    pub write_mode: WriteMode,

    /// Writers of group commit; each owns a shard of the key space and uses one pooled connection while it writes
    #[arg(long, env = "WRITERS", default_value = "2", value_parser = count(1..=64_u16))]
    pub writers: u16,

    /// Events that one upsert may hold
    #[arg(long, env = "MAX_BATCH_EVENTS", default_value = "256", value_parser = count(1..=10_000_u32))]
    pub max_batch_events: u32,

    /// Events that may wait for a writer; one more is refused with 503 / RESOURCE_EXHAUSTED
    #[arg(long, env = "QUEUE_CAPACITY", default_value = "8192", value_parser = count(1..=10_000_000_u32))]
    pub queue_capacity: u32,

    /// Time from an event's arrival to its answer; after that 503 / UNAVAILABLE
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "10s", value_parser = time_limit())]
    pub request_timeout: Duration,

    /// Largest event, in bytes
    #[arg(long, env = "MAX_EVENT_BYTES", default_value = "1048576", value_parser = bytes(1..=MOST_BYTES))]
    pub max_event_bytes: u32,

    /// Largest bulk request, in bytes
    #[arg(long, env = "MAX_BULK_BYTES", default_value = "10485760", value_parser = bytes(1..=MOST_BYTES))]
    pub max_bulk_bytes: u32,

    /// Log a line `Persisted events count: N` every so many events; 0 turns it off
    #[arg(long, env = "PERSISTED_COUNT_LOG_EVERY", default_value = "10", value_parser = count(0..=u64::MAX))]
    pub persisted_count_log_every: u64,

    /// Kafka, where events are written to it.
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    pub kafka: kafka_client::KafkaConfig,
    /// The topic of events.
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    pub events: events_kafka::EventsTopic,
}

impl IngestConfig {
    /// Whether PostgreSQL takes the events, rather than Kafka.
    #[must_use]
    pub fn writes_to_the_database(&self) -> bool {
        #[cfg(feature = "kafka")]
        if self.write_mode == WriteMode::Kafka {
            return false;
        }
        true
    }
}
