//! Settings of balance: flags and environment variables; `--help` is the reference.

use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use protect::ProtectionConfig;
use runtime::config::{
    DatabaseConfig, ListenConfig, ServiceCommand, ShutdownConfig, TelemetryConfig,
};
use runtime::connection::GrpcConnectionConfig;
use runtime::threads::ThreadsConfig;

/// Account balances over REST and gRPC, each answer from a database read begun after its request.
#[derive(Clone, Debug, Parser)]
#[command(name = "balance", version)]
pub struct Config {
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,

    /// Port of REST, /metrics and /health; 0 takes a free one
    #[arg(long, env = "SERVER_PORT", default_value = "8080", value_name = "PORT")]
    pub server_port: u16,

    /// Port of gRPC; 0 takes a free one
    #[arg(
        long,
        env = "GRPC_SERVER_PORT",
        default_value = "50051",
        value_name = "PORT"
    )]
    pub grpc_server_port: u16,

    /// Address to bind.
    #[command(flatten)]
    pub listen: ListenConfig,
    /// The application database.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// How balances are read.
    #[command(flatten)]
    pub reads: ReadsConfig,
    /// TLS, principals, limits.
    #[command(flatten)]
    pub protection: ProtectionConfig,
    /// Connections of clients.
    #[command(flatten)]
    pub connections: GrpcConnectionConfig,
    /// Worker threads of each face.
    #[command(flatten)]
    pub threads: ThreadsConfig,
    /// How the service stops.
    #[command(flatten)]
    pub shutdown: ShutdownConfig,
    /// What is logged.
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
}

/// Who shares a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReadMode {
    /// Requests that wait at the same time share one statement.
    Group,
    /// One statement a request on a pooled connection. Kept to show what sharing is worth.
    Single,
}

/// How balances are read from PostgreSQL.
#[derive(Args, Clone, Debug)]
pub struct ReadsConfig {
    /// Who shares a read
    #[arg(long, env = "READ_MODE", value_enum, default_value = "group")]
    pub read_mode: ReadMode,

    /// Readers; each uses one pooled connection while it reads, so no more than DATABASE_POOL_SIZE work at a time
    #[arg(long, env = "READERS", default_value = "2", value_parser = runtime::config::count(1..=64_u16))]
    pub readers: u16,

    /// Accounts that one read may ask for; a request for more of them is a read of its own
    #[arg(long, env = "MAX_READ_ACCOUNTS", default_value = "1000", value_parser = runtime::config::count(1..=100_000_u32))]
    pub max_read_accounts: u32,

    /// Accounts that may wait for a reader; one more is refused with 503 / RESOURCE_EXHAUSTED
    #[arg(long, env = "QUEUE_CAPACITY", default_value = "65536", value_parser = runtime::config::count(1..=10_000_000_u32))]
    pub queue_capacity: u32,

    /// Time from a request's arrival to its answer; after that 503 / UNAVAILABLE
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = runtime::config::time_limit())]
    pub request_timeout: Duration,

    /// How far a read-only replica may be behind its primary, 100ms to 1day; further, requests are refused with 503 / UNAVAILABLE. Without it
    /// nobody looks
    #[arg(long, env = "MAX_REPLICA_LAG", value_name = "DURATION", value_parser = replica_lag)]
    pub max_replica_lag: Option<Duration>,
}

/// Shorter than that, a replica would be too far behind between two looks at it.
const LEAST_REPLICA_LAG: Duration = Duration::from_millis(100);
const MOST_REPLICA_LAG: Duration = Duration::from_secs(24 * 60 * 60);

fn replica_lag(text: &str) -> Result<Duration, String> {
    let lag = runtime::config::duration(text)?;
    if (LEAST_REPLICA_LAG..=MOST_REPLICA_LAG).contains(&lag) {
        return Ok(lag);
    }
    Err("must be from 100ms to 1day".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
        runtime::config::parse_from::<Config, _, _>(["balance"]).expect("defaults");
        let short = ["balance", "--max-replica-lag", "99ms"];
        let refused = runtime::config::parse_from::<Config, _, _>(short).expect_err("too short");
        assert!(refused.to_string().contains("from 100ms to 1day"));
    }
}
