//! What every run does around its load: opens where its result goes, records that it begins, and gives what came of it.

use serde::Serialize;

use crate::args::LoadArgs;
use crate::record::{Figures, Head, Recording};
use crate::target_process::Watched;
use load_engine::ending::Ending;
use load_engine::load::Load;
use load_engine::measure::measure;
use load_engine::output::{JsonOutput, say};
use load_engine::progress::Progress;
use load_engine::stop::{Interrupted, Stop};

/// What came of a load, in every form that it is given in.
pub(super) struct Report {
    /// The human-readable summary.
    text: String,
    json: String,
    /// For the metrics database.
    figures: Figures,
    /// Whether all criteria are met and something succeeded.
    succeeded: bool,
}

impl Report {
    /// # Errors
    /// When `result` cannot be encoded.
    pub(super) fn new(
        text: String,
        result: &impl Serialize,
        figures: Figures,
        succeeded: bool,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            text,
            json: serde_json::to_string_pretty(result)? + "\n",
            figures,
            succeeded,
        })
    }
}

/// Carries a run out: `load` makes it, `report` says what came of it. The summary is printed whatever becomes of the rest.
///
/// # Errors
/// Those of the load; a result that cannot be written or recorded.
pub(super) async fn run<O>(
    args: &LoadArgs,
    head: Head<'_>,
    load: impl Future<Output = anyhow::Result<O>>,
    report: impl FnOnce(O) -> anyhow::Result<Report>,
    stop: &Stop,
) -> anyhow::Result<Ending> {
    let output = JsonOutput::open(args.json.as_deref())?;
    let watched = match args.stored() && !head.aim.direct {
        true => Watched::at(head.aim.endpoint.address),
        false => None,
    };
    let recording = match args.stored() {
        true => {
            let beginning = Recording::begin(&args.metrics_db, head);
            Some(stop.unless_asked(beginning).await??)
        }
        false => None,
    };
    let reported = match load.await {
        Ok(outcome) => report(outcome),
        Err(error) => Err(error),
    };
    let report = match (reported, recording) {
        (Ok(mut report), Some(recording)) => {
            if let Some(watched) = watched {
                report.figures.add(&watched.seen());
            }
            let written = output.write(&report.json, &report.text);
            let completing = recording.complete(&report.figures);
            let run = stop.unless_halted(completing).await??;
            say(&format!("recorded as run {run}"));
            written?;
            report
        }
        (Ok(report), None) => {
            output.write(&report.json, &report.text)?;
            report
        }
        (Err(error), recording) => {
            if let Some(recording) = recording {
                // The load's own error is the one to report.
                stop.unless_halted(recording.fail(&error)).await.ok();
            }
            return Err(error);
        }
    };
    Ok(match (stop.was_asked(), report.succeeded) {
        (true, _) => Ending::Interrupted,
        (false, true) => Ending::Complete,
        (false, false) => Ending::NoSuccess,
    })
}

/// Starts a load on a thread of its own, since that blocks, and stands by it until it is over.
///
/// # Errors
/// Those of `start` and of [`measure`].
pub(super) async fn make<L: Load + Send + 'static>(
    args: &LoadArgs,
    start: impl FnOnce(&Stop) -> anyhow::Result<L> + Send + 'static,
    stop: &Stop,
) -> anyhow::Result<L::Outcome> {
    let its = stop.clone();
    let starting = tokio::task::spawn_blocking(move || start(&its));
    let load = stop.unless_halted(starting).await???;
    let mut progress = Progress::new(args.progress);
    Box::pin(measure(load, &mut progress, stop)).await
}

/// Makes the load of each of `plans`, one after the other; an interrupted one is the last.
///
/// # Errors
/// Those of [`make`]; an interruption only where nothing was measured before it.
pub(super) async fn make_all<P, L>(
    args: &LoadArgs,
    plans: Vec<P>,
    start: fn(P, &Stop) -> anyhow::Result<L>,
    stop: &Stop,
) -> anyhow::Result<Vec<L::Outcome>>
where
    P: Send + 'static,
    L: Load + Send + 'static,
{
    let mut outcomes = Vec::new();
    for plan in plans {
        match make(args, move |stop| start(plan, stop), stop).await {
            Ok(outcome) => outcomes.push(outcome),
            // What was measured before is given.
            Err(error) if error.is::<Interrupted>() && !outcomes.is_empty() => break,
            Err(error) => return Err(error),
        }
        if stop.was_asked() {
            break;
        }
    }
    Ok(outcomes)
}
