//! `balance`: account balances over REST and gRPC. `--help` lists the settings.

use std::process::ExitCode;

use balance::{Config, Service};
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
        // Both faces live and die together.
        return Ok(health::check_http(
            &config.listen.host,
            config.server_port,
            "/health",
            &config.protection,
        ));
    }
    // Both faces have threads of their own; this one drives the readers and their connections.
    let version = env!("CARGO_PKG_VERSION");
    runtime::serve(&config, version, &config.telemetry, 1, async |stop| {
        Service::build(&config, stop).await?.run().await
    })
}
