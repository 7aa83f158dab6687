//! The comparisons of each session, and what the test says of them.

use lab_gate::verdict_file::Round;
use lab_verdict::flags::{Flagged, clearly_more};
use lab_verdict::position::{self, Placed};
use lab_verdict::{Judge, Judgement, Outcome, Settings, log_ratio};

use super::figures::{Payload, Session, Table};

/// What was named beforehand.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// The target with which the others are compared; none: all pairs.
    pub(super) reference: Option<String>,
    /// The figure that decides; none: all of them, corrected together.
    pub(super) primary: Option<String>,
    /// Figures of which more is better.
    pub(super) higher_is_better: Vec<String>,
}

impl Named {
    /// What it names must stand in the file; else a message says what does.
    pub(super) fn check(&self, table: &Table) -> Result<(), String> {
        let figures = &table.figures;
        for (option, name) in self.primary.iter().map(|name| ("--primary", name)).chain(
            self.higher_is_better
                .iter()
                .map(|name| ("--higher-is-better", name)),
        ) {
            if !figures.contains(name) {
                return Err(format!(
                    "{option}: the file has no figure {name:?}; it has {}",
                    figures.join(", ")
                ));
            }
        }
        if let Some(name) = &self.reference {
            let known = |session: &Session| session.targets.contains(name);
            if !table.sessions.iter().any(known) {
                return Err(format!(
                    "--reference: the file has no target {name:?}; it has {}",
                    table.sessions[0].targets.join(", ")
                ));
            }
        }
        Ok(())
    }

    /// More of this figure is better.
    pub(super) fn more_is_better(&self, figure: &str) -> bool {
        self.higher_is_better.iter().any(|name| name == figure)
    }
}

/// A session's comparisons.
#[derive(Debug)]
pub(super) struct Judged {
    /// Its name; none where the file has none.
    pub(super) session: Option<String>,
    /// The comparisons: by payload, figure and pair.
    pub(super) comparisons: Vec<Comparison>,
    /// For each payload and figure: the second place in a round to the first, where the file's order tells it.
    pub(super) places: Vec<Place>,
}

/// `a` against `b` in one figure under one payload.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) payload: Option<String>,
    pub(super) figure: String,
    pub(super) a: String,
    pub(super) b: String,
    /// It belongs to the family that decides.
    pub(super) decides: bool,
    /// Comparisons of its family.
    pub(super) family: usize,
    /// The target that was disturbed clearly more often, so that there is no verdict.
    pub(super) disturbed: Option<String>,
    /// The rounds that count for it.
    pub(super) rounds: Vec<Round>,
    pub(super) found: Judgement,
}

/// Ratio of the second place in a round to the first.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) payload: Option<String>,
    pub(super) figure: String,
    pub(super) ratio: f64,
}

/// Judges each session of the table alone.
pub(super) fn judge(table: &Table, named: &Named, settings: Settings) -> Vec<Judged> {
    let mut judge = Judge::new(settings);
    table
        .sessions
        .iter()
        .map(|session| Judged {
            session: session.name.clone(),
            comparisons: of_session(session, &table.figures, named, &mut judge),
            places: places(session, &table.figures),
        })
        .collect()
}

/// A comparison that is not yet judged.
struct Planned<'a> {
    payload: &'a Payload,
    figure: usize,
    pair: (usize, usize),
    decides: bool,
    rounds: Vec<Round>,
    differences: Vec<f64>,
}

fn of_session(
    session: &Session,
    figures: &[String],
    named: &Named,
    judge: &mut Judge,
) -> Vec<Comparison> {
    let pairs = pairs(session, named.reference.as_deref());
    let mut planned = Vec::new();
    for payload in &session.payloads {
        for (figure, name) in figures.iter().enumerate() {
            for pair in &pairs {
                let rounds = rounds(payload, figure, *pair);
                planned.push(Planned {
                    payload,
                    figure,
                    pair: *pair,
                    decides: named.primary.as_ref().is_none_or(|primary| primary == name),
                    differences: differences(&rounds),
                    rounds,
                });
            }
        }
    }
    let mut families = [true, false].map(|decides| {
        let of: Vec<&[f64]> = planned
            .iter()
            .filter(|planned| planned.decides == decides)
            .map(|planned| planned.differences.as_slice())
            .collect();
        let counted = of
            .iter()
            .filter(|differences| !differences.is_empty())
            .count();
        (counted, judge.family(&of).into_iter())
    });
    planned
        .into_iter()
        .filter_map(|planned| {
            let (counted, found) = &mut families[usize::from(!planned.decides)];
            let mut found = found.next()?;
            let (a, b) = planned.pair;
            let disturbed =
                disturbed(planned.payload, planned.pair).map(|t| session.targets[t].clone());
            if disturbed.is_some() {
                found.outcome = Outcome::Open;
            }
            Some(Comparison {
                payload: planned.payload.name.clone(),
                figure: figures[planned.figure].clone(),
                a: session.targets[a].clone(),
                b: session.targets[b].clone(),
                decides: planned.decides,
                family: *counted,
                disturbed,
                rounds: planned.rounds,
                found,
            })
        })
        .collect()
}

/// All pairs in order of first appearance, or each other target with the reference.
fn pairs(session: &Session, reference: Option<&str>) -> Vec<(usize, usize)> {
    let targets = 0..session.targets.len();
    match reference {
        Some(name) => {
            let Some(b) = session.targets.iter().position(|target| target == name) else {
                return Vec::new();
            };
            targets.filter(|a| *a != b).map(|a| (a, b)).collect()
        }
        None => targets
            .clone()
            .flat_map(|a| (a + 1..targets.end).map(move |b| (a, b)))
            .collect(),
    }
}

/// The rounds in which both trials count and have a figure above zero.
fn rounds(payload: &Payload, figure: usize, (a, b): (usize, usize)) -> Vec<Round> {
    let rounds = payload.rounds.iter();
    rounds
        .filter_map(|round| {
            let of = |target: usize| {
                let trial = round.trials.iter().find(|trial| trial.target == target)?;
                trial.figures[figure].filter(|_| trial.valid)
            };
            let (a, b) = (of(a)?, of(b)?);
            log_ratio(a, b)?;
            Some(Round {
                round: round.name.clone(),
                a,
                b,
            })
        })
        .collect()
}

fn differences(rounds: &[Round]) -> Vec<f64> {
    let each = rounds.iter();
    each.filter_map(|round| log_ratio(round.a, round.b))
        .collect()
}

fn disturbed(payload: &Payload, (a, b): (usize, usize)) -> Option<usize> {
    let of = |target: usize| {
        let trials = payload
            .rounds
            .iter()
            .flat_map(|round| &round.trials)
            .filter(|trial| trial.target == target);
        let valid: Vec<bool> = trials.map(|trial| trial.valid).collect();
        Flagged {
            trials: valid.len(),
            flagged: valid.iter().filter(|valid| !**valid).count(),
        }
    };
    clearly_more(of(a), of(b)).map(|first| if first { a } else { b })
}

fn places(session: &Session, figures: &[String]) -> Vec<Place> {
    let of = |payload: &Payload, figure: usize| {
        let rounds: Vec<Vec<Placed>> = payload
            .rounds
            .iter()
            .map(|round| &round.trials)
            .filter(|trials| {
                trials
                    .iter()
                    .all(|trial| trial.valid && trial.figures[figure].is_some())
            })
            .map(|trials| {
                let placed = |trial: &super::figures::Trial| Placed {
                    target: trial.target,
                    figure: trial.figures[figure].unwrap_or(0.0),
                };
                trials.iter().map(placed).collect()
            })
            .collect();
        // One order throughout is how a file is sorted, not how the trials ran.
        let orders = |round: &Vec<Placed>| round.iter().map(|p| p.target).collect::<Vec<_>>();
        let first = rounds.first().map(orders);
        let varied = rounds.iter().any(|round| Some(orders(round)) != first);
        varied.then(|| position::ratio(&rounds)).flatten()
    };
    let mut found = Vec::new();
    for payload in &session.payloads {
        for (figure, name) in figures.iter().enumerate() {
            found.extend(of(payload, figure).map(|ratio| Place {
                payload: payload.name.clone(),
                figure: name.clone(),
                ratio,
            }));
        }
    }
    found
}
