//! How a process ends that cannot go on.

use std::process::ExitCode;

/// The exit code of `main`. An error is told once, with its causes in one line: as a log line, or on standard error
/// where there is no log yet.
#[expect(
    clippy::print_stderr,
    reason = "there is no log before `telemetry::init`"
)]
pub fn exit(ended: anyhow::Result<ExitCode>) -> ExitCode {
    ended.unwrap_or_else(|error| {
        if tracing::dispatcher::has_been_set() {
            tracing::error!("cannot go on: {error:#}");
        } else {
            eprintln!("error: {error:#}");
        }
        ExitCode::FAILURE
    })
}
