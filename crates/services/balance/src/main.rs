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
    // gRPC, the readers and their connections; the REST face has as many threads of its own.
    let threads = config.threads.count();
    let version = env!("CARGO_PKG_VERSION");
    runtime::serve(&config, version, &config.telemetry, threads, async |stop| {
        Service::build(&config, stop).await?.run().await
    })
}
