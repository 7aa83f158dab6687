//! `stats-sidecar`: samples the lab's processes or containers into the metrics database until SIGTERM.

use std::process::ExitCode;

use metrics_db::Store;
use runtime::config::ServiceCommand;
use stats_sidecar::{APPLICATION_NAME, Config, health, serve};

// One thread: sampling is a few milliseconds of work a second, and it must not compete with what it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let config: Config = runtime::config::parse();
    if let Some(ServiceCommand::Health) = config.command {
        return Ok(health::check(&config).await);
    }
    runtime::telemetry::init(&config.telemetry)?;
    let stop = runtime::shutdown::on_signals()?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        ?config,
        "stats-sidecar starting"
    );

    let store = tokio::select! {
        store = Store::connect_as(&config.database, APPLICATION_NAME) => store?,
        () = stop.cancelled() => return Ok(ExitCode::SUCCESS),
    };
    store.migrate().await?;
    tracing::info!("stats-sidecar ready: waiting for running runs");
    serve(store, config.csv_dir, stop).await;
    Ok(ExitCode::SUCCESS)
}
