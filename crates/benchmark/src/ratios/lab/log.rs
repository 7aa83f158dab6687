//! The event log, which needs no database.

use anyhow::Context;

use super::say;
use crate::args::ProgressMode;
use crate::command::Stop;
use crate::progress::{Progress, thousands};
use crate::protocol::Protocol;
use crate::ratios::logs::{LogKind, LogMeasurement, Python};
use crate::ratios::service::Program;
use crate::ratios::session::Session;

/// What a Python program reaches; none, and a line that says so, where it cannot be run.
pub(in crate::ratios) async fn python(session: &Session) -> anyhow::Result<Option<Python>> {
    let entries = session.args().log_entries;
    match Python::measure(session.folder(), entries).await {
        Ok(python) => {
            say(&format!("python3: {python:?}"));
            Ok(Some(python))
        }
        Err(error) => {
            say(&format!("  warning: no ratio to Python: {error:#}"));
            Ok(None)
        }
    }
}

/// One measurement of the event log.
pub(in crate::ratios) async fn log(
    session: &Session,
    kind: LogKind,
    round: u32,
    python: Option<Python>,
) -> anyhow::Result<LogMeasurement> {
    let data = session.folder().join("event-log");
    let service = match kind.over_grpc() {
        true => Some(
            session
                .service(Program::EventLog, Protocol::Grpc, "")
                .await?,
        ),
        false => None,
    };
    let server = service.as_ref().map(|service| service.endpoint.clone());
    let plan = kind.plan(session.args(), session.folder(), round, server);
    let run = tokio::task::spawn_blocking(move || crate::log::start(plan)).await??;
    let mut progress = Progress::new(ProgressMode::None);
    let mut stop = Stop::new()?;
    let outcome = crate::log::measure(run, &mut progress, &mut stop).await?;
    drop(service);
    if data.exists() {
        std::fs::remove_dir_all(&data)
            .with_context(|| format!("cannot remove {}", data.display()))?;
    }
    let measurement = LogMeasurement::new(kind, round, &outcome, python);
    say(&format!(
        "round {round} of {}: {}: {} entries/s",
        session.args().pairs,
        kind.label(),
        thousands(measurement.entries_per_second.round() as u64)
    ));
    if let Some(fault) = &measurement.fault {
        say(&format!("  warning: {fault}"));
    }
    Ok(measurement)
}
