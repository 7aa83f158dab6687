//! The life of one `benchmark` run: plan, connect, load, result.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use serde::Serialize;

mod log;
mod requests;
mod stream;

use crate::aim::Aim;
use crate::args::{LoadArgs, Scenario};
use crate::ending::Ending;
use crate::load::{self, Load, Outcome, Plan};
use crate::progress::{Progress, ProgressMode};
use crate::record::{Figures, Recording};
use crate::stop::Stop;

/// Makes the load that `args` ask for and writes its result.
///
/// # Errors
/// For options that contradict each other, a target that cannot be reached, a result that cannot be written.
pub async fn run(args: LoadArgs) -> anyhow::Result<Ending> {
    args.check()?;
    let aim = Aim::take(&args)?;
    let run_id = args.run_id.clone().unwrap_or_else(default_run_id);
    match aim.scenario {
        Scenario::Ingest | Scenario::Balance => requests::run(&args, &aim, run_id).await,
        Scenario::Stream => stream::run(&args, &aim, run_id).await,
        Scenario::Append | Scenario::Tail | Scenario::Verify | Scenario::Produce => {
            log::run(&args, &aim, run_id).await
        }
    }
}

/// Makes a load of requests and stands by it until it is over.
///
/// # Errors
/// Those of [`load::start`] and [`measure`].
pub async fn make_load(
    plan: Plan,
    progress: ProgressMode,
    stop: &mut Stop,
) -> anyhow::Result<Outcome> {
    let load = tokio::task::spawn_blocking(move || load::start(plan)).await??;
    measure(load, &mut Progress::new(progress), stop).await
}

/// Stands by a load until it is over, or until it is told to stop; then waits for the last answers.
///
/// # Errors
/// When a load thread panicked.
pub async fn measure(
    load: Load,
    progress: &mut Progress,
    stop: &mut Stop,
) -> anyhow::Result<Outcome> {
    let clock = std::sync::Arc::clone(load.clock());
    let mut from = load.edge();
    let mut window_open = false;
    let mut ticks = tokio::time::interval(Progress::EVERY);
    ticks.tick().await; // the first comes at once
    while std::time::Instant::now() < clock.end() {
        tokio::select! {
            () = tokio::time::sleep_until(clock.measured_from().into()), if !window_open => {
                from = load.edge();
                window_open = true;
            }
            () = tokio::time::sleep_until(clock.end().into()) => {}
            _ = ticks.tick() => progress.tick(&load),
            () = stop.asked() => clock.stop(),
        }
    }
    let to = load.edge();
    progress.done();
    tokio::select! {
        outcome = load.finish(if window_open { from } else { to }, to) => outcome,
        () = stop.asked(), if clock.stopped_early() => {
            anyhow::bail!("interrupted twice: answers to what was in flight are unknown")
        }
    }
}

/// `b` and the milliseconds since 1970 in hexadecimal: differs from run to run and sorts by time.
fn default_run_id() -> String {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("b{:x}", since.as_millis())
}

/// Writes the result: JSON to where it was asked for, and the text to standard output unless JSON goes there.
fn write_result(
    json_file: Option<&Path>,
    result: &impl Serialize,
    text: &str,
) -> anyhow::Result<()> {
    if let Some(file) = json_file {
        let json = serde_json::to_string_pretty(result)? + "\n";
        if file == Path::new("-") {
            return print(&json);
        }
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    print(text)
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .context("cannot write to standard output")
}

/// Records what came of a run that was recorded as begun, and says under which number.
async fn complete(
    recording: Option<Recording>,
    figures: anyhow::Result<Figures>,
) -> anyhow::Result<()> {
    match (recording, figures) {
        (Some(recording), Ok(figures)) => {
            let run = recording.complete(&figures).await?;
            writeln!(std::io::stderr(), "recorded as run {run}")?;
        }
        // The load's own error is the one to report.
        (Some(recording), Err(error)) => {
            drop(recording.fail(&error).await);
            return Err(error);
        }
        (None, figures) => drop(figures?),
    }
    Ok(())
}
