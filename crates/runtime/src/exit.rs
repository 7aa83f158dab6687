//! How a process ends that does not go on.

use std::io::Write;
use std::process::ExitCode;

/// The stop came before the service was ready: nothing was accepted, so nothing is lost, and the process ends well.
#[derive(Clone, Debug, thiserror::Error)]
#[error("stopped while waiting for {0}")]
pub struct Stopped(pub String);

/// The exit code of `main`: 0 for [`Stopped`]. Another error is told once, with its causes in one line: as a log line, or
/// on standard error where there is no log yet.
pub fn exit(ended: anyhow::Result<ExitCode>) -> ExitCode {
    ended.unwrap_or_else(|error| {
        if let Some(stopped) = error.downcast_ref::<Stopped>() {
            tracing::info!("{stopped}");
            return ExitCode::SUCCESS;
        }
        if tracing::dispatcher::has_been_set() {
            tracing::error!("cannot go on: {error:#}");
        } else {
            // There is no log before `telemetry::init`. Where nobody reads this, the exit code tells.
            drop(writeln!(std::io::stderr(), "error: {error:#}"));
        }
        ExitCode::FAILURE
    })
}
