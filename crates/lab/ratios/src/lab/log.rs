//! The event log, which needs no database.

use std::time::Duration;

use crate::logs::{self, Beside, LogKind, LogMeasurement, Python};
use crate::service::Program;
use crate::setup::Setup;
use anyhow::Context;
use load_engine::measure::measure;
use load_engine::output::say;
use load_engine::plan::Route;
use load_engine::progress::{Progress, ProgressMode, thousands};
use load_engine::protocol::{Endpoint, Protocol};
use load_log::plan::{Direct, Durability, Feed, LogPlan, LogScenario, Via};

/// What this disk and a Python program do; no Python, and a line that says so, where it cannot be run.
pub(crate) async fn beside(setup: &Setup) -> anyhow::Result<Beside> {
    let folder = setup.folder().to_owned();
    let sync_us = tokio::task::spawn_blocking(move || logs::sync_us(&folder)).await?;
    let sync_us = sync_us.context("cannot time fdatasync")?;
    say(&format!("fdatasync of a growing file: {sync_us:.0} us"));
    let entries = setup.args().log_entries;
    let python = match Python::measure(setup.folder(), entries).await {
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
pub(crate) async fn log(
    setup: &Setup,
    kind: LogKind,
    round: u32,
    beside: Beside,
) -> anyhow::Result<LogMeasurement> {
    let data = setup.folder().join("event-log");
    let service = match kind.over_grpc() {
        true => Some(setup.service(Program::EventLog, Protocol::Grpc, "").await?),
        false => None,
    };
    let server = service.as_ref().map(|service| service.endpoint.clone());
    let plan = plan(setup, kind, round, server);
    let stop = setup.stop().clone();
    let run = tokio::task::spawn_blocking(move || load_log::start(plan, &stop)).await??;
    let mut progress = Progress::new(ProgressMode::None);
    let outcome = measure(run, &mut progress, setup.stop()).await?;
    drop(service);
    if data.exists() {
        std::fs::remove_dir_all(&data)
            .with_context(|| format!("cannot remove {}", data.display()))?;
    }
    let measurement = LogMeasurement::new(kind, round, &outcome, beside);
    say(&format!(
        "round {round} of {}: {}: {} entries/s",
        setup.args().pairs,
        kind.label(),
        thousands(measurement.entries_per_second.round() as u64)
    ));
    if let Some(fault) = &measurement.fault {
        say(&format!("  warning: {fault}"));
    }
    Ok(measurement)
}

/// What is to be done. `server` is where the log is served; none in-process.
fn plan(setup: &Setup, kind: LogKind, round: u32, server: Option<Endpoint>) -> LogPlan {
    let args = setup.args();
    let appends = kind.scenario() == LogScenario::Append;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let concurrency = if appends { logs::CONCURRENCY } else { 1 };
    let over_grpc = server.is_some();
    LogPlan {
        scenario: kind.scenario(),
        via: match server {
            None => Via::Direct(Direct {
                folder: Some(setup.folder().to_owned()),
                durability: Durability::Synced,
            }),
            Some(endpoint) => Via::Grpc(Route {
                endpoint,
                // A read has one connection, since one is in flight.
                connections: logs::append_connections()
                    .min(args.grpc_connections)
                    .min(concurrency),
                timeout: Duration::from_secs(60),
            }),
        },
        run_id: format!("ratios-{round}"),
        concurrency,
        timing: args.timing(if over_grpc { 1 } else { cores }),
        entries: args.log_entries,
        batch: logs::BATCH,
        acks: 1,
        feed: Feed::default(),
    }
}
