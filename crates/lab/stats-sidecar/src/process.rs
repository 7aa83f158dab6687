//! The life of the process: `stats-sidecar`, or `weir` where it is alone and samples itself.

use std::process::ExitCode;

use metrics_db::Store;

use crate::{APPLICATION_NAME, Config, serve};

/// Samples until SIGTERM.
///
/// # Errors
/// The metrics database cannot be reached or refuses its schema.
pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
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
