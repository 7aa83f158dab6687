//! Settings of producer-grpc: flags and environment variables; `--help` is the reference.

use clap::Parser;
use ingest::IngestConfig;
use protect::ProtectionConfig;
use runtime::config::{
    DatabaseConfig, ListenConfig, ServiceCommand, ShutdownConfig, TelemetryConfig,
};
use runtime::connection::GrpcConnectionConfig;
use runtime::threads::ThreadsConfig;

/// Ingestion of events over gRPC: com.example.grpc.EventService, answered after commit.
#[derive(Clone, Debug, Parser)]
#[command(name = "producer-grpc", version)]
pub struct Config {
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<ServiceCommand>,

    /// Port to serve on; 0 takes a free one
    #[arg(
        long,
        env = "GRPC_SERVER_PORT",
        default_value = "9090",
        value_name = "PORT"
    )]
    pub grpc_server_port: u16,

    /// Port of GET /metrics and GET /health; 0 takes a free one
    #[arg(long, env = "ADMIN_PORT", default_value = "9091", value_name = "PORT")]
    pub admin_port: u16,

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Config::command().debug_assert();
        runtime::config::parse_from::<Config, _, _>(["producer-grpc"]).expect("defaults");
    }
}
