//! `producer-rest`: ingestion over REST. `--help` lists the settings.

use std::process::ExitCode;

use producer_rest::{Config, Service};
use runtime::config::ServiceCommand;
use runtime::health;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    runtime::exit(run())
}

fn run() -> anyhow::Result<ExitCode> {
    let config: Config = runtime::config::parse();
    if let Some(ServiceCommand::Health) = config.command {
        return Ok(health::check_http(
            &config.listen.host,
            config.server_port,
            "/api/v1/events/health",
            &config.protection,
        ));
    }
    // The faces have threads of their own; this one drives the writers and their connections.
    let threads = 1;
    let version = env!("CARGO_PKG_VERSION");
    runtime::serve(&config, version, &config.telemetry, threads, async |stop| {
        Service::build(&config, stop).await?.run().await
    })
}
