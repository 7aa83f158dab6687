//! `sink`: merges events from Kafka into PostgreSQL. `--help` lists the settings.

use std::process::ExitCode;

use runtime::config::ServiceCommand;
use runtime::health;
use sink::{Config, Service};

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
            config.admin_port,
            "/health",
            &config.protection,
        ));
    }
    let threads = config.threads.count();
    let version = env!("CARGO_PKG_VERSION");
    runtime::serve(&config, version, &config.telemetry, threads, async |stop| {
        Service::build(&config, stop).await?.run().await
    })
}
