//! Which rounds run again: those with a run that is not valid. What was measured plays no part in it.

use std::collections::BTreeMap;

use lab_model::judging::Repeat;
use lab_model::plan::Plan;
use lab_model::plan::layout::{Cell, Group};
use metrics_db::{Run, RunStatus};

/// What is to be done about the rounds that are not intact.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Disturbed {
    /// There are none that would be repeated.
    None,
    /// These run again.
    Repeat(Vec<Repeat>),
    /// So many of so many rounds are not intact that more would be no better.
    TooMany { disturbed: usize, of: usize },
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    NotRun,
    Valid,
    Invalid,
    /// A failure is an outcome, and is not repeated.
    Failed,
}

/// Looks at the rounds up to the planned trial `after`. At most half as many rounds as were planned until then are added.
pub(crate) fn disturbed(plan: &Plan, after: u32, runs: &[Run]) -> Disturbed {
    let layout = &plan.layout;
    if layout.trials < 2 {
        return Disturbed::None;
    }
    let states = Standings::new(runs);
    let groups = || layout.groups.iter().filter(|group| group.members.len() > 1);
    let rounds = groups().count() * after as usize;
    let mut missing = Vec::new();
    let mut invalid = 0;
    for trial in 1..=after {
        for group in groups() {
            if states.of_round(plan, group, trial) != Standing::Invalid {
                continue;
            }
            invalid += 1;
            let again = plan.request.repeats.iter().zip(layout.trials + 1..);
            let again: Vec<Standing> = again
                .filter(|(repeat, _)| repeat.of == trial && group.is_of(repeat))
                .map(|(_, number)| states.of_round(plan, group, number))
                .collect();
            if again.iter().all(|standing| *standing == Standing::Invalid) {
                missing.push(Repeat {
                    scenario: group.scenario,
                    payload: group.payload.clone(),
                    of: trial,
                    after,
                });
            }
        }
    }
    if missing.is_empty() {
        return Disturbed::None;
    }
    if invalid * 2 > rounds {
        return Disturbed::TooMany {
            disturbed: invalid,
            of: rounds,
        };
    }
    missing.truncate((rounds / 2).saturating_sub(plan.request.repeats.len()));
    if missing.is_empty() {
        return Disturbed::None;
    }
    Disturbed::Repeat(missing)
}

/// Rounds that a stop or a crash has cut: finished runs whose round has others that are left. They are repeated whole, so
/// these runs count no more.
pub(crate) fn cut(plan: &Plan, runs: &[Run]) -> Vec<i64> {
    if plan.layout.trials < 2 {
        return Vec::new();
    }
    let states = Standings::new(runs);
    let mut rounds: BTreeMap<(u32, &str, &str), Vec<&Cell>> = BTreeMap::new();
    for cell in &plan.cells {
        let scenario = cell.target.scenario.as_str();
        rounds
            .entry((cell.trial, scenario, &cell.payload))
            .or_default()
            .push(cell);
    }
    let mut cut = Vec::new();
    for cells in rounds.values() {
        let of: Vec<Standing> = cells.iter().map(|cell| states.of(cell)).collect();
        let begun = of.iter().any(|standing| *standing != Standing::NotRun);
        if begun && of.contains(&Standing::NotRun) && !of.contains(&Standing::Failed) {
            cut.extend(cells.iter().filter_map(|cell| states.run(cell)));
        }
    }
    cut
}

/// The newest run of each place that was measured or failed.
struct Standings(BTreeMap<u32, (i64, Standing)>);

impl Standings {
    fn new(runs: &[Run]) -> Self {
        let mut newest = BTreeMap::new();
        for run in runs {
            let standing = match (run.status, run.valid) {
                (RunStatus::Completed, Some(false)) => Standing::Invalid,
                (RunStatus::Completed, _) => Standing::Valid,
                (RunStatus::Failed, _) => Standing::Failed,
                (RunStatus::Running | RunStatus::Aborted, _) => continue,
            };
            let place = u32::try_from(run.run_order).unwrap_or(0);
            let known = newest.entry(place).or_insert((run.id, standing));
            if run.id > known.0 {
                *known = (run.id, standing);
            }
        }
        Self(newest)
    }

    fn of(&self, cell: &Cell) -> Standing {
        self.0
            .get(&cell.order)
            .map_or(Standing::NotRun, |(_, standing)| *standing)
    }

    fn run(&self, cell: &Cell) -> Option<i64> {
        self.0.get(&cell.order).map(|(id, _)| *id)
    }

    /// The worst of a round's runs.
    fn of_round(&self, plan: &Plan, group: &Group, trial: u32) -> Standing {
        let own = plan.cells.iter().filter(|cell| {
            cell.trial == trial
                && cell.payload == group.payload
                && cell.target.scenario == group.scenario
        });
        let of: Vec<Standing> = own.map(|cell| self.of(cell)).collect();
        let worst = [Standing::NotRun, Standing::Failed, Standing::Invalid];
        worst
            .into_iter()
            .find(|standing| of.contains(standing))
            .unwrap_or(Standing::Valid)
    }
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
