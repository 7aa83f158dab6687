//! The cells of a session one after the other: rounds that run again, and looks at a session that is judged as it grows.

use std::time::{Duration, Instant};

use anyhow::Result;
use lab_model::plan::layout::Cell;
use metrics_db::RunFilter;

use super::bench::{Bench, record_plan};
use super::cell;
use super::look;
use super::outcome::Outcome;
use super::resume::Resumed;
use super::rounds::{self, Disturbed};
use crate::output::counted;

/// What came of the cells.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Of the cells that this part of the session ran.
    pub(crate) outcomes: Vec<Outcome>,
    /// Cells that an earlier part had finished.
    pub(crate) finished_before: usize,
    /// Where a session that runs until it is decided came to its end; none where it was stopped, and for other sessions.
    pub(crate) ended_at: Option<Ended>,
}

/// The end of a session that runs until it is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Every comparison is decided.
    pub(crate) decided: bool,
}

/// Runs the cells until all are done, all is decided, or the user stops them.
pub(crate) async fn all_cells(bench: &mut Bench, resumed: Option<&Resumed>) -> Ran {
    let phases = bench.plan.mode.expected(bench.plan.phase_scale);
    let mut ran = Ran {
        outcomes: Vec::new(),
        finished_before: 0,
        ended_at: None,
    };
    let mut overheads = Vec::new();
    let mut index = 0;
    while let Some(one) = bench.plan.cells.get(index).cloned() {
        index += 1;
        if resumed.is_some_and(|resumed| resumed.is_done(&one)) {
            ran.finished_before += 1;
        } else if bench.stop.is_requested() {
            break;
        } else {
            let left = bench.plan.cells.len() - index + 1;
            let left = expected_left(left, phases, &overheads);
            bench.progress.left(Some(left));
            let began = Instant::now();
            let outcome = cell::run(bench, &one, label(&bench.session, &one, resumed)).await;
            overheads.push(began.elapsed().saturating_sub(phases));
            bench.progress.say(&outcome.line(bench.plan.cells.len()));
            ran.outcomes.push(outcome);
        }
        let Some(trial) = trial_that_ends(bench, index) else {
            continue;
        };
        let later = bench.plan.cells[index..].iter();
        let gone_on = |cell: &Cell| resumed.is_some_and(|resumed| resumed.is_done(cell));
        if bench.stop.is_requested() || later.clone().any(gone_on) {
            continue;
        }
        match after_trial(bench, trial).await {
            Ok(None) => {}
            Ok(Some(ended)) => {
                ran.ended_at = Some(ended);
                break;
            }
            Err(error) => {
                // The rounds that were planned are worth having without it.
                let said = format!("The rounds so far could not be looked at: {error:#}");
                bench.progress.say(&said);
            }
        }
    }
    ran
}

/// The planned trial that is complete, with the rounds repeated after it, when the first `index` cells are.
fn trial_that_ends(bench: &Bench, index: usize) -> Option<u32> {
    let trials = bench.plan.layout.trials;
    let planned = |cell: &&Cell| cell.trial <= trials;
    let reached = bench.plan.cells[..index].iter().rfind(planned)?.trial;
    match bench.plan.cells.get(index) {
        None => Some(reached),
        Some(next) => (planned(&next) && next.trial > reached).then_some(reached),
    }
}

/// Where the session is judged after this trial, disturbed rounds run again first; some where it has come to its end.
async fn after_trial(bench: &mut Bench, trial: u32) -> Result<Option<Ended>> {
    let judging = bench.plan.request.judging.clone();
    let look = judging.look_after(trial);
    let is_last = trial == bench.plan.layout.trials;
    if look.is_none() && !is_last {
        return Ok(None);
    }
    let filter = RunFilter {
        session: Some(bench.session.clone()),
        ..RunFilter::default()
    };
    let runs = bench.store.runs(&filter).await?;
    match rounds::disturbed(&bench.plan, trial, &runs) {
        Disturbed::None => {}
        Disturbed::Repeat(repeats) => {
            let said = format!(
                "{} with a run that is not valid: the whole round runs again.",
                counted(repeats.len(), "round")
            );
            bench.progress.say(&said);
            bench.plan.repeat(repeats);
            record_plan(&bench.store, &bench.session, &bench.plan).await?;
            return Ok(None);
        }
        Disturbed::TooMany { disturbed, of } => bench.progress.say(&format!(
            "{disturbed} of {of} rounds have a run that is not valid: they are not repeated, since what disturbs so many \
             would disturb those too."
        )),
    }
    let Some(look) = look else {
        return Ok(None);
    };
    let looked = look::at(bench, look).await?;
    bench.progress.say(&looked.words(look));
    if !looked.is_over() && !is_last {
        return Ok(None);
    }
    bench.plan.request.judging.ended_at_look = Some(look.number());
    // What was not needed is not left either.
    let done = bench.plan.cells.iter().filter(|cell| cell.trial <= trial);
    let repeated = bench
        .plan
        .cells
        .iter()
        .filter(|cell| cell.trial > bench.plan.layout.trials);
    bench.plan.request.cells = Some(done.count() + repeated.count());
    record_plan(&bench.store, &bench.session, &bench.plan).await?;
    Ok(Some(Ended {
        decided: looked.is_over(),
    }))
}

/// What the events of a cell carry: unique, also where the cell was begun before.
fn label(session: &str, cell: &Cell, resumed: Option<&Resumed>) -> String {
    let label = format!("{session}-{:02}", cell.order);
    match resumed.map_or(0, |resumed| resumed.attempts(cell)) {
        0 => label,
        before => format!("{label}-{}", before + 1),
    }
}

/// How long `cells` more will take, by what the ones before took beside their phases.
fn expected_left(cells: usize, phases: Duration, overheads: &[Duration]) -> Duration {
    let cells = u32::try_from(cells).unwrap_or(u32::MAX);
    let overhead = match u32::try_from(overheads.len()) {
        Ok(done) if done > 0 => overheads.iter().sum::<Duration>() / done,
        _ => lab_model::plan::OVERHEAD,
    };
    (phases + overhead) * cells
}
