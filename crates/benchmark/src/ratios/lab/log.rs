//! The event log, which needs no database.

use anyhow::Context;

use super::say;
use crate::progress::{Progress, ProgressMode, thousands};
use crate::protocol::Protocol;
use crate::ratios::logs::{self, Beside, LogKind, LogMeasurement, Python};
use crate::ratios::service::Program;
use crate::ratios::session::Session;
use crate::stop::Stop;

/// What this disk and a Python program do; no Python, and a line that says so, where it cannot be run.
pub(in crate::ratios) async fn beside(session: &Session) -> anyhow::Result<Beside> {
    let folder = session.folder().to_owned();
    let sync_us = tokio::task::spawn_blocking(move || logs::sync_us(&folder)).await?;
    let sync_us = sync_us.context("cannot time fdatasync")?;
    say(&format!("fdatasync of a growing file: {sync_us:.0} us"));
    let entries = session.args().log_entries;
    let python = match Python::measure(session.folder(), entries).await {
        Ok(python) => {
            say(&format!("python3: {python:?}"));
            Some(python)
        }
        Err(error) => {
            say(&format!("  warning: no ratio to Python: {error:#}"));
            None
        }
    };
    Ok(Beside { python, sync_us })
}

/// One measurement of the event log.
pub(in crate::ratios) async fn log(
    session: &Session,
    kind: LogKind,
    round: u32,
    beside: Beside,
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
    let measurement = LogMeasurement::new(kind, round, &outcome, beside);
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
