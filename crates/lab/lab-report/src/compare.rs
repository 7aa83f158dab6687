//! Pairs of targets under each payload, judged over rounds: ratio, interval, p, outcome; and the ranks that follow.
//!
//! A round is one trial of each target: those with the same number in a session.

use lab_verdict::flags::{Flagged, clearly_more};
use lab_verdict::power::least_rounds;
use lab_verdict::{Judge, Judgement, Outcome, Settings, log_ratio, words};

use super::cell::Cell;
use super::model::{
    Comparison, Interval, Metric, NoiseFloor, Report, RunInfo, Standing, Target, ThroughputRow,
};
use super::options::Options;
use lab_verdict::quantile::median;

/// Level of every family of comparisons.
pub const ALPHA: f64 = 0.05;

/// A pair that is not yet judged.
struct Pair<'a> {
    a: &'a Cell<'a>,
    b: &'a Cell<'a>,
    metric: Metric,
    /// Ratio of the medians, a to b.
    medians: f64,
    /// Logarithms of the ratios of the rounds.
    differences: Vec<f64>,
    /// Why there is no verdict whatever the figures.
    barred: Option<String>,
}

/// Every pair under every payload (or each target with the reference), in each of the metrics. The metrics that decide are
/// corrected together; so are the others.
pub fn comparisons(
    cells: &[&Cell<'_>],
    metrics: &[Metric],
    targets: &[Target],
    runs: &[RunInfo],
    options: &Options,
) -> Vec<Comparison> {
    let mut pairs = Vec::new();
    for (index, a) in cells.iter().enumerate() {
        for b in cells[index + 1..].iter().filter(|b| b.payload == a.payload) {
            let wanted = |cell: &Cell<'_>| {
                let name = &targets[cell.target].name;
                options
                    .reference
                    .as_ref()
                    .is_none_or(|reference| reference == name)
            };
            if wanted(a) || wanted(b) {
                pairs.extend(
                    metrics
                        .iter()
                        .filter_map(|metric| pair(a, b, *metric, targets, runs)),
                );
            }
        }
    }
    let mut judge = Judge::new(Settings {
        alpha: ALPHA,
        margin: options.margin,
        look: options.look,
    });
    let mut families = [true, false].map(|decides| {
        let own: Vec<&[f64]> = pairs
            .iter()
            .filter(|pair| decides_by(options, pair.metric) == decides)
            .map(Pair::judged)
            .collect();
        let size = own
            .iter()
            .filter(|differences| !differences.is_empty())
            .count();
        (size, judge.family(&own).into_iter())
    });
    let settings = *judge.settings();
    pairs
        .iter()
        .filter_map(|pair| {
            let decides = decides_by(options, pair.metric);
            let (size, found) = &mut families[usize::from(!decides)];
            let mut comparison = comparison(pair, &found.next()?, *size, decides, &settings);
            let noise = options
                .noise
                .iter()
                .find(|floor| floor.metric == pair.metric);
            comparison.noise = noise.cloned();
            Some(comparison)
        })
        .collect()
}

fn decides_by(options: &Options, metric: Metric) -> bool {
    options.primary.is_none_or(|primary| primary == metric)
}

impl Pair<'_> {
    /// What takes part in the test.
    fn judged(&self) -> &[f64] {
        if self.barred.is_some() {
            &[]
        } else {
            &self.differences
        }
    }
}

/// None where one of them has no such figure, or where one was disturbed and the other was not.
fn pair<'a>(
    a: &'a Cell<'a>,
    b: &'a Cell<'a>,
    metric: Metric,
    targets: &[Target],
    runs: &[RunInfo],
) -> Option<Pair<'a>> {
    if a.counts != b.counts {
        return None;
    }
    // A median of zero has no ratio.
    let middle = |cell: &Cell<'_>| median(&cell.values(metric)).filter(|middle| *middle > 0.0);
    let medians = middle(a)? / middle(b)?;
    let mut sessions: Vec<&str> = Vec::new();
    let mut differences = Vec::new();
    for round in rounds_in_common(&a.runs, &b.runs, metric) {
        differences.extend(log_ratio(round.a, round.b));
        if !sessions.contains(&round.session) {
            sessions.push(round.session);
        }
    }
    let barred = a
        .reason
        .clone()
        .or_else(|| b.reason.clone())
        .or_else(|| disturbed(a, b, targets, runs))
        .or_else(|| {
            differences.is_empty().then(|| {
                "the targets have no round in common: their trials are of different sessions".to_owned()
            })
        })
        .or_else(|| {
            (sessions.len() > 1).then(|| {
                format!(
                    "its rounds come from {} sessions, and p holds for a number of rounds that was planned",
                    sessions.len()
                )
            })
        });
    Some(Pair {
        a,
        b,
        metric,
        medians,
        differences,
        barred,
    })
}

/// A figure of two targets in one round.
pub(crate) struct Round<'a> {
    /// Session id.
    pub(crate) session: &'a str,
    /// Trial number.
    pub(crate) trial: i32,
    /// Figure of the first.
    pub(crate) a: f64,
    /// Figure of the second.
    pub(crate) b: f64,
}

/// The rounds of two targets in which both have a figure whose ratio has a logarithm.
pub(crate) fn rounds_in_common<'a>(
    a: &'a [&'a RunInfo],
    b: &'a [&'a RunInfo],
    metric: Metric,
) -> impl Iterator<Item = Round<'a>> {
    a.iter().filter_map(move |run| {
        let same = |other: &&&RunInfo| other.session == run.session && other.trial == run.trial;
        let (of_a, of_b) = (metric.of(run)?, metric.of(b.iter().find(same)?)?);
        log_ratio(of_a, of_b)?;
        Some(Round {
            session: &run.session,
            trial: run.trial,
            a: of_a,
            b: of_b,
        })
    })
}

/// Says whose trials were disturbed clearly more often.
fn disturbed(a: &Cell<'_>, b: &Cell<'_>, targets: &[Target], runs: &[RunInfo]) -> Option<String> {
    let of = |cell: &Cell<'_>| {
        let own = runs.iter().filter(|run| {
            let finished = run.standing != Standing::LeftOut;
            run.target == cell.target && run.payload == cell.payload && finished
        });
        let flagged = own.clone().filter(|run| run.standing == Standing::Invalid);
        Flagged {
            trials: own.clone().count(),
            flagged: flagged.count(),
        }
    };
    let (of_a, of_b) = (of(a), of(b));
    let (cell, more, less) = match clearly_more(of_a, of_b)? {
        true => (a, of_a, of_b),
        false => (b, of_b, of_a),
    };
    Some(format!(
        "trials of {} were disturbed clearly more often ({} of {}, the other's {} of {})",
        targets[cell.target].name, more.flagged, more.trials, less.flagged, less.trials
    ))
}

fn comparison(
    pair: &Pair<'_>,
    found: &Judgement,
    family: usize,
    decides: bool,
    settings: &Settings,
) -> Comparison {
    let ratio = found.ratio.unwrap_or(pair.medians);
    let turned = ratio < 1.0;
    let turn = |interval: Interval| {
        if turned {
            interval.inverted()
        } else {
            interval
        }
    };
    let (higher, lower) = if turned {
        (pair.b, pair.a)
    } else {
        (pair.a, pair.b)
    };
    let rounds = pair.differences.len();
    let needed = least_rounds(family.max(1), settings.alpha);
    let judged = pair.barred.is_none() && rounds >= needed;
    Comparison {
        metric: pair.metric,
        payload: pair.a.payload.to_owned(),
        higher: higher.target,
        lower: lower.target,
        ratio: if turned { 1.0 / ratio } else { ratio },
        interval: found.interval.filter(|_| judged).map(turn),
        level: (judged && found.interval.is_some()).then_some(1.0 - found.alpha),
        equality_interval: found.equality_interval.filter(|_| judged).map(turn),
        p: found.p.filter(|_| judged),
        p_corrected: found.p_holm.filter(|_| judged),
        outcome: judged.then_some(found.outcome),
        no_verdict: pair.barred.clone(),
        next: (judged && found.outcome == Outcome::Open)
            .then(|| words::what_would_decide(found, family, settings)),
        decides,
        rounds,
        rounds_needed: needed,
        trials: pair
            .a
            .values(pair.metric)
            .len()
            .min(pair.b.values(pair.metric).len()),
        noise: None,
    }
}

/// The noise floor that the report of an A/A session shows, a figure each.
pub fn noise_floors(report: &Report) -> Vec<NoiseFloor> {
    let session = report.sessions.first();
    let session = session.map_or_else(String::new, |session| session.id.clone());
    let mut floors: Vec<NoiseFloor> = Vec::new();
    for pair in &report.comparisons {
        // Of several payloads the first one counts: each pair in a report has one floor a figure.
        if floors.iter().all(|floor| floor.metric != pair.metric) {
            floors.push(NoiseFloor {
                metric: pair.metric,
                ratio: pair.ratio,
                interval: pair.interval,
                rounds: pair.rounds,
                session: session.clone(),
            });
        }
    }
    floors
}

/// Gives each row its place: one more than the targets that are certainly higher. Rows that no comparison judged keep none.
pub fn rank(rows: &mut [ThroughputRow], comparisons: &[Comparison]) {
    for row in rows {
        let mine = |pair: &&Comparison| {
            pair.metric == Metric::Rate && pair.payload == row.payload && pair.outcome.is_some()
        };
        let judged = comparisons
            .iter()
            .filter(mine)
            .any(|pair| pair.higher == row.target || pair.lower == row.target);
        let ahead = comparisons
            .iter()
            .filter(mine)
            .filter(|pair| pair.lower == row.target && pair.outcome == Some(Outcome::Different))
            .count();
        row.rank = judged.then_some(ahead + 1);
    }
}
