//! Settings of producer-rest: flags and environment variables; `--help` is the reference.

use clap::Parser;
use ingest::IngestConfig;
use protect::ProtectionConfig;
use runtime::config::{
    DatabaseConfig, ListenConfig, ServiceCommand, ShutdownConfig, TelemetryConfig,
};
use runtime::connection::ConnectionConfig;
use runtime::threads::ThreadsConfig;

/// Ingestion of events over REST: POST /api/v1/events, answered after commit.
#[derive(Clone, Debug, Parser)]
#[command(name = "producer-rest", version)]
pub struct Config {
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,

    /// Port to serve on; 0 takes a free one
    #[arg(long, env = "SERVER_PORT", default_value = "8081", value_name = "PORT")]
    pub server_port: u16,

    /// Address to bind.
    #[command(flatten)]
    pub listen: ListenConfig,
    /// The application database.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// How events are written.
    #[command(flatten)]
    pub ingest: IngestConfig,
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
        runtime::config::parse_from::<Config, _, _>(["producer-rest"]).expect("defaults");
    }

    #[test]
    fn zeros_that_make_no_sense_are_refused_with_the_range() {
        for (flag, value, range) in [
            ("--request-timeout", "0s", "1ms to 1day"),
            ("--request-timeout", "2days", "1ms to 1day"),
            ("--queue-capacity", "0", "1 to 10000000"),
            ("--writers", "0", "1 to 64"),
            ("--max-batch-events", "0", "1 to 10000"),
            ("--max-event-bytes", "0", "1 bytes to 1073741824 bytes"),
            (
                "--max-bulk-bytes",
                "4294967295",
                "1 bytes to 1073741824 bytes",
            ),
            ("--database-acquire-timeout", "0s", "1ms to 1day"),
            ("--database-pool-size", "0", "1 to 10000"),
            ("--worker-threads", "0", "1 to 1024"),
        ] {
            let error = runtime::config::parse_from::<Config, _, _>(["x", flag, value]);
            let error = error.expect_err(flag).to_string();
            assert!(error.contains(flag) && error.contains(range), "{error}");
        }
        for arguments in [
            ["x", "--persisted-count-log-every", "0"],
            ["x", "--shutdown-grace", "0s"],
        ] {
            assert!(runtime::config::parse_from::<Config, _, _>(arguments).is_ok());
        }
    }
}
