//! `stream`: transactions over server-sent events and gRPC. `--help` lists the settings.

use std::process::ExitCode;

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use runtime::config::ServiceCommand;
use runtime::{health, shutdown, telemetry, threads};
use stream::{Config, Service};

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
            "/health",
        ));
    }
    allow_connections()?;
    telemetry::init(&config.telemetry)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?config, "starting");
    threads::runtime(config.threads.count())?.block_on(async {
        let stop = shutdown::on_signals()?;
        Ok(Service::build(&config, stop).await?.run().await?.into())
    })
}

/// A subscriber is a connection, and a connection an open file, of which many systems allow 1,024 unless asked.
fn allow_connections() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).context("the limit on open files")?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("the limit on open files")
}
