//! `producer-grpc`: ingestion over gRPC. `--help` lists the settings.

use std::process::ExitCode;

use producer_grpc::{Config, Service};
use runtime::config::ServiceCommand;
use runtime::{health, threads};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    runtime::exit(run())
}

fn run() -> anyhow::Result<ExitCode> {
    let config: Config = runtime::config::parse();
    if let Some(ServiceCommand::Health) = config.command {
        let check = health::check_grpc(
            &config.listen.host,
            config.grpc_server_port,
            &config.protection,
        );
        return Ok(threads::runtime(1)?.block_on(check));
    }
    // The face has threads of its own; this one drives the writers and their connections.
    let version = env!("CARGO_PKG_VERSION");
    runtime::serve(&config, version, &config.telemetry, 1, async |stop| {
        Service::build(&config, stop).await?.run().await
    })
}
