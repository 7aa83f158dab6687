//! The life of a service: the same first and last lines for each of them.

use std::fmt::Debug;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::config::TelemetryConfig;
use crate::shutdown::{self, Ending};
use crate::{open_files, telemetry, threads};

/// Starts the log and says so with all settings, allows open files, makes the worker threads, listens for signals, and runs
/// `life` to its end. `life` is given the token that SIGTERM and SIGINT cancel.
///
/// # Errors
/// The log, the threads or the signal handlers cannot be had, or `life` failed.
pub fn serve(
    config: &impl Debug,
    version: &str,
    telemetry: &TelemetryConfig,
    threads: usize,
    life: impl AsyncFnOnce(CancellationToken) -> anyhow::Result<Ending>,
) -> anyhow::Result<ExitCode> {
    telemetry::init(telemetry)?;
    open_files::allow_most();
    tracing::info!(version, ?config, "starting");
    threads::runtime(threads)?.block_on(async {
        let stop = shutdown::on_signals()?;
        Ok(life(stop).await?.into())
    })
}
