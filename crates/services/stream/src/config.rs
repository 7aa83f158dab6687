//! Settings of stream: flags and environment variables; `--help` is the reference.

use std::time::Duration;

use clap::{Args, Parser};
use protect::ProtectionConfig;
use runtime::config::{
    DatabaseConfig, ListenConfig, ServiceCommand, ShutdownConfig, TelemetryConfig, count,
    duration_within, time_limit,
};
use runtime::connection::GrpcConnectionConfig;
use runtime::threads::ThreadsConfig;

/// The stream of transactions in the order of their commits, over server-sent events and gRPC.
#[derive(Clone, Debug, Parser)]
#[command(name = "stream", version)]
pub struct Config {
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,

    /// Port of server-sent events, metrics and health; 0 takes a free one
    #[arg(long, env = "SERVER_PORT", default_value = "8082", value_name = "PORT")]
    pub server_port: u16,

    /// Port of gRPC; 0 takes a free one
    #[arg(
        long,
        env = "GRPC_SERVER_PORT",
        default_value = "50052",
        value_name = "PORT"
    )]
    pub grpc_server_port: u16,

    /// Address to bind.
    #[command(flatten)]
    pub listen: ListenConfig,
    /// The application database.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// How transactions are streamed.
    #[command(flatten)]
    pub stream: StreamConfig,
    /// TLS, principals, limits.
    #[command(flatten)]
    pub protection: ProtectionConfig,
    /// Connections of clients.
    #[command(flatten)]
    pub connections: GrpcConnectionConfig,
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

/// Flags and environment variables of the stream itself.
#[derive(Args, Clone, Debug)]
pub struct StreamConfig {
    /// Pause between two looks for new transactions while there are any; while there are none, or with many subscribers
    /// (20 us for each), it grows to 25 ms
    #[arg(long, env = "LOOK_INTERVAL", default_value = "5ms", value_name = "DURATION", value_parser = duration_within(Duration::from_millis(1)..=Duration::from_secs(1)))]
    pub look_interval: Duration,

    /// Latest events kept in memory for all subscribers, 32 MiB at most; who falls behind them reads from the database
    #[arg(long, env = "RING_EVENTS", default_value = "8192", value_name = "N", value_parser = count(1..=1_000_000_u32))]
    pub ring_events: u32,

    /// Silence after which a subscriber over server-sent events is sent a comment
    #[arg(long, env = "HEARTBEAT_INTERVAL", default_value = "10s", value_name = "DURATION", value_parser = duration_within(Duration::from_millis(100)..=Duration::from_secs(15)))]
    pub heartbeat_interval: Duration,

    /// How long a connection may take nothing of what waits for it (Linux); then it is closed
    #[arg(long, env = "STALL_TIMEOUT", default_value = "5m", value_name = "DURATION", value_parser = duration_within(Duration::from_secs(1)..=Duration::from_secs(60 * 60)))]
    pub stall_timeout: Duration,

    /// How long the database may take until a stream begins; after that 503 / UNAVAILABLE
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = time_limit())]
    pub request_timeout: Duration,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
        runtime::config::parse_from::<Config, _, _>(["stream"]).expect("defaults");
    }

    #[test]
    fn intervals_have_bounds() {
        for wrong in [
            ["--look-interval", "0ms"],
            ["--heartbeat-interval", "16s"],
            ["--request-timeout", "0s"],
        ] {
            let arguments = [&["stream"], &wrong[..]].concat();
            let error = runtime::config::parse_from::<Config, _, _>(arguments).unwrap_err();
            assert!(error.to_string().contains("must be 1"), "{error}");
        }
    }
}
