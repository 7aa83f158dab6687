//! Settings of the server: flags and environment variables; `--help` is the reference.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use group_commit::Durability;
use protect::ProtectionConfig;
use runtime::config::{ListenConfig, ShutdownConfig, TelemetryConfig};
use runtime::connection::GrpcConnectionConfig;
use runtime::threads::ThreadsConfig;

mod anchors;
mod range;
mod topics;

pub use anchors::AnchorConfig;
pub(crate) use range::durability;
pub use topics::{TopicsBackend, TopicsConfig};

/// What `event-log serve` and `event-log health` read.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Port of REST, metrics and health; 0 takes a free one
    #[arg(long, env = "SERVER_PORT", default_value = "8083", value_name = "PORT")]
    pub server_port: u16,

    /// Port of gRPC; 0 takes a free one
    #[arg(
        long,
        env = "GRPC_SERVER_PORT",
        default_value = "50053",
        value_name = "PORT"
    )]
    pub grpc_server_port: u16,

    /// Address to bind.
    #[command(flatten)]
    pub listen: ListenConfig,
    /// The files.
    #[command(flatten)]
    pub store: StoreConfig,
    /// TLS, principals, limits.
    #[command(flatten)]
    pub protection: ProtectionConfig,
    /// Connections of clients.
    #[command(flatten)]
    pub connections: GrpcConnectionConfig,
    /// Topics and consumer groups.
    #[command(flatten)]
    pub topics: TopicsConfig,
    /// Anchors of hash-chained partitions.
    #[command(flatten)]
    pub anchors: AnchorConfig,
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

/// Where entries and records are kept, and how they come there.
#[derive(Args, Clone, Debug)]
pub struct StoreConfig {
    /// The directory, made if it is not there; one process at a time holds it
    #[arg(
        long,
        visible_alias = "dir",
        env = "EVENT_LOG_DIR",
        default_value = "event-log-data",
        value_name = "DIR"
    )]
    pub event_log_dir: PathBuf,

    /// When an append to a hash-chained partition counts as done: on the disk, or with the operating system
    #[arg(
        long,
        visible_alias = "durability",
        env = "EVENT_LOG_DURABILITY",
        value_parser = durability(),
        default_value = "synced",
        value_name = "DURABILITY"
    )]
    pub event_log_durability: Durability,

    /// Appends that may wait for one partition; one more is refused with 503 / RESOURCE_EXHAUSTED
    #[arg(long, env = "QUEUE_CAPACITY", default_value = "65536", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub queue_capacity: u32,

    /// Bytes of appends that may wait, for all partitions together; more are refused likewise
    #[arg(long, env = "QUEUE_BYTES", default_value = "268435456", value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub queue_bytes: u64,

    /// How long an append may take, from 1ms; after that 503 / UNAVAILABLE, and it may be stored all the same
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = range::timeout)]
    pub request_timeout: Duration,
}
