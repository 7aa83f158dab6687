//! `sink`: merges events from Kafka into PostgreSQL. `--help` lists the settings.

use std::process::ExitCode;

use runtime::config::ServiceCommand;
use runtime::{health, open_files, shutdown, telemetry, threads};
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
    telemetry::init(&config.telemetry)?;
    open_files::allow_most();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), ?config, "starting");
    threads::runtime(config.threads.count())?.block_on(async {
        let stop = shutdown::on_signals()?;
        Ok(Service::build(&config, stop).await?.run().await?.into())
    })
}
