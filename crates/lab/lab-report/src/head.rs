//! The head of the page: one row a question, with the answer, its outcome, and the interval drawn against 1 and the margin.

use super::model::{Comparison, Drawing, HeadRow, Metric, Outcome, Report};
use super::ranking;
use super::verdict::phrase;
use lab_verdict::words::{percent, ratios};

/// Width of a drawing, in its own units.
const WIDTH: f64 = 320.0;
/// Free at either end.
const EDGE: f64 = 14.0;

/// A row for each comparison that has an outcome, those that decide first. Scenarios of more than two targets have a
/// [`crate::ranking`] instead.
pub fn rows(report: &Report) -> Vec<HeadRow> {
    let is_ranked = |pair: &&Comparison| {
        let mut scenarios = report.scenarios.iter();
        scenarios
            .any(|scenario| scenario.targets.len() > 2 && scenario.targets.contains(&pair.higher))
    };
    let mut rows: Vec<HeadRow> = report
        .comparisons
        .iter()
        .filter(|pair| !is_ranked(pair))
        .filter_map(|pair| row(report, pair))
        .collect();
    rows.sort_by_key(|row| row.describes);
    rows
}

fn row(report: &Report, pair: &Comparison) -> Option<HeadRow> {
    let outcome = pair.outcome?;
    let question = ranking::question(report, pair.metric, &pair.payload);
    let name = &report.targets[pair.higher].name;
    let answer = match outcome {
        Outcome::Different => {
            let verb = match pair.metric {
                Metric::Rate => "does",
                Metric::Cpu => "costs",
                Metric::P99 => "takes",
            };
            format!("{name} {verb} {} more", percent(pair.ratio - 1.0))
        }
        Outcome::Equal => format!("Equal within {}", percent(report.margin)),
        Outcome::Open => match pair.interval {
            Some(interval) => {
                let [low, high] = ratios([interval.low, interval.high]);
                format!("Not decided: {low} to {high} times")
            }
            None => "Not decided".to_owned(),
        },
    };
    let figure = phrase::ratio_beside_interval(pair);
    let certainty = match outcome {
        Outcome::Equal => phrase::equality(pair),
        Outcome::Different | Outcome::Open => phrase::certainty(pair),
    };
    let next = pair
        .next
        .as_ref()
        .map_or(String::new(), |next| format!("; {next}"));
    Some(HeadRow {
        question,
        answer,
        target: (outcome == Outcome::Different).then_some(pair.higher),
        outcome,
        why: format!("{figure} ×, {certainty}{next}"),
        describes: !pair.decides,
        drawing: drawing(report, pair),
    })
}

fn drawing(report: &Report, pair: &Comparison) -> Option<Drawing> {
    let interval = pair.interval?;
    // Wide enough for the interval and for three margins, the same on either side of 1.
    let ends = [
        interval.low.ln().abs(),
        interval.high.ln().abs(),
        3.0 * report.margin.ln_1p(),
    ];
    let edge = ends.into_iter().fold(0.0, f64::max);
    let place = |ratio: f64| {
        let share = (ratio.ln() / (edge * 1.1) + 1.0) / 2.0;
        ((EDGE + share * (WIDTH - 2.0 * EDGE)) * 10.0).round() / 10.0
    };
    let tick = |ratio: f64| {
        (
            place(ratio),
            format!("{} ×", lab_verdict::words::ratio(ratio)),
        )
    };
    Some(Drawing {
        width: WIDTH,
        ratio: place(pair.ratio),
        low: place(interval.low),
        high: place(interval.high),
        one: place(1.0),
        margin_low: place(1.0 / (1.0 + report.margin)),
        margin_high: place(1.0 + report.margin),
        ticks: vec![
            tick((-edge).exp()),
            (place(1.0), "1".to_owned()),
            tick(edge.exp()),
        ],
        text: format!(
            "ratio {}, {}, margin {}",
            phrase::ratio_beside_interval(pair),
            phrase::certainty(pair),
            percent(report.margin)
        ),
    })
}
