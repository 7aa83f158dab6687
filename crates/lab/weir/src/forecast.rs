//! What a planned session would find: the smallest difference that its rounds show in most sessions, at the spread that earlier
//! sessions of this machine had.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use lab_model::plan::Plan;
use lab_report::Options;
use lab_report::input::SessionRows;
use lab_report::model::{Metric, Report, RunInfo, Standing};
use lab_verdict::judge::spread;
use lab_verdict::power::{POWER, detectable, least_rounds};
use lab_verdict::{log_ratio, words};
use metrics_db::{MetricsDbConfig, Store};
use serde::Serialize;

use crate::session_rows;

/// How many sessions are looked through.
const RECENT: i64 = 50;

/// Fewest rounds of a pair whose spread means something.
const FEWEST_ROUNDS: usize = 4;

/// Level of the family of comparisons, as the report has it.
const ALPHA: f64 = 0.05;

/// What would be found of one figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Forecast {
    /// The figure.
    pub(crate) figure: Metric,
    /// Standard deviation of the logarithm of a round's ratio.
    pub(crate) spread: f64,
    /// Rounds of earlier sessions that it comes from.
    pub(crate) from_rounds: usize,
    /// Rounds that are planned; at most, where the session ends once it is decided.
    pub(crate) rounds: usize,
    /// The difference that is found in 80 % of sessions, as a share: 0.05 is 5 %. None where so few rounds find nothing.
    pub(crate) detectable: Option<f64>,
}

/// What the plan would find; empty where it compares nothing, or no earlier session says how rounds spread.
pub(crate) async fn of(
    plan: &Plan,
    root: &Path,
    metrics: &MetricsDbConfig,
) -> Result<Vec<Forecast>> {
    if comparisons(plan) == 0 {
        return Ok(Vec::new());
    }
    let machine = lab_host::environment::machine().await;
    let rows = lab_bench::metrics::reading(root, metrics, async |store| {
        earlier(store, plan, &machine).await
    })
    .await?;
    Ok(from(plan, &rows))
}

/// The sessions of this machine under the load of the plan that share the fingerprint of the newest of them.
async fn earlier(
    store: &Store,
    plan: &Plan,
    machine: &serde_json::Value,
) -> Result<Vec<SessionRows>> {
    let mut found = Vec::new();
    let mut fingerprint = None;
    for session in store.sessions(RECENT).await? {
        let of_plan = |name: &str| session.plan.as_ref().and_then(|plan| plan.get(name));
        let like = of_plan("mode").and_then(|mode| mode.as_str()) == Some(&plan.mode_name)
            && of_plan("phase_scale").and_then(serde_json::Value::as_f64) == Some(plan.phase_scale)
            && session.environment.get("machine") == Some(machine);
        let wanted = fingerprint
            .as_ref()
            .is_none_or(|known| *known == session.fingerprint);
        if !(like && wanted) {
            continue;
        }
        let rows = session_rows::read(store, std::slice::from_ref(&session.id)).await?;
        if rows
            .iter()
            .any(|rows| !differences(&judged(rows)).is_empty())
        {
            fingerprint = Some(session.fingerprint.clone());
            found.extend(rows);
        }
    }
    Ok(found)
}

/// What the plan would find at the spread of these sessions.
fn from(plan: &Plan, rows: &[SessionRows]) -> Vec<Forecast> {
    let mut by_figure: BTreeMap<&'static str, (Metric, Vec<Vec<f64>>)> = BTreeMap::new();
    for rows in rows {
        for (figure, pair) in differences(&judged(rows)) {
            let name = name(figure);
            by_figure
                .entry(name)
                .or_insert((figure, Vec::new()))
                .1
                .push(pair);
        }
    }
    let rounds = plan.layout.trials as usize;
    let several = comparisons(plan);
    let wanted = plan.request.judging.primary.map(Metric::from);
    by_figure
        .into_values()
        .filter(|(figure, _)| wanted.is_none_or(|wanted| wanted == *figure))
        .filter_map(|(figure, pairs)| {
            let spread = pooled(&pairs)?;
            Some(Forecast {
                figure,
                spread,
                from_rounds: pairs.iter().map(Vec::len).sum(),
                rounds,
                detectable: detectable(rounds, several, ALPHA, spread).map(f64::exp_m1),
            })
        })
        .collect()
}

/// Comparisons that decide together.
fn comparisons(plan: &Plan) -> usize {
    let judging = &plan.request.judging;
    let pairs = plan.layout.groups.iter().map(|group| {
        let members = group.members.len();
        match &judging.reference {
            Some(_) => members.saturating_sub(1),
            None => members * members.saturating_sub(1) / 2,
        }
    });
    let figures = match (judging.primary, plan.mode.rate()) {
        (None, Some(_)) => 2,
        _ => 1,
    };
    let measures = usize::from(plan.mode.is_timed());
    pairs.sum::<usize>() * figures * measures
}

fn judged(rows: &SessionRows) -> Report {
    lab_report::build(std::slice::from_ref(rows), &Options::default())
}

/// The differences of the rounds of every pair of targets under one payload, in each figure that decides.
fn differences(report: &Report) -> Vec<(Metric, Vec<f64>)> {
    let figures: &[Metric] = match report.intended_rate {
        Some(_) => &[Metric::Cpu, Metric::P99],
        None => &[Metric::Rate],
    };
    let mut all = Vec::new();
    for payload in &report.payloads {
        for a in 0..report.targets.len() {
            for b in a + 1..report.targets.len() {
                for figure in figures {
                    let pair: Vec<f64> = counted(report, a, payload)
                        .filter_map(|run| {
                            let other = counted(report, b, payload)
                                .find(|other| other.trial == run.trial)?;
                            log_ratio(figure.of(run)?, figure.of(other)?)
                        })
                        .collect();
                    if pair.len() >= FEWEST_ROUNDS {
                        all.push((*figure, pair));
                    }
                }
            }
        }
    }
    all
}

/// The runs of a target under a payload that count.
fn counted<'a>(
    report: &'a Report,
    target: usize,
    payload: &'a str,
) -> impl Iterator<Item = &'a RunInfo> {
    report.runs.iter().filter(move |run| {
        run.standing == Standing::Counted && run.target == target && run.payload == payload
    })
}

/// The standard deviation within pairs, over all of them.
fn pooled(pairs: &[Vec<f64>]) -> Option<f64> {
    let each = pairs.iter().filter_map(|pair| {
        let free = (pair.len() - 1) as f64;
        Some((spread(pair)?.powi(2) * free, free))
    });
    let (squares, free) = each.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (free > 0.0).then(|| (squares / free).sqrt())
}

fn name(figure: Metric) -> &'static str {
    match figure {
        Metric::Rate => "rate",
        Metric::Cpu => "service CPU",
        Metric::P99 => "p99 latency",
    }
}

/// The forecast for the user, a line a figure.
pub(crate) fn lines(plan: &Plan, forecasts: &[Forecast]) -> Vec<String> {
    let several = comparisons(plan);
    if several == 0 {
        return Vec::new();
    }
    if forecasts.is_empty() {
        return vec![
            "Which difference it would find is not known: no earlier session of this mode and machine says how rounds spread."
                .to_owned(),
        ];
    }
    let share = |share: f64| words::percent(share);
    forecasts
        .iter()
        .map(|forecast| match forecast.detectable {
            Some(found) => format!(
                "{}: {} rounds find a difference of {} in {:.0} % of sessions (spread of a round {}, from {} earlier rounds)",
                name(forecast.figure),
                forecast.rounds,
                share(found),
                POWER * 100.0,
                share(forecast.spread.exp_m1()),
                forecast.from_rounds
            ),
            None => format!(
                "{}: {} rounds decide nothing; {} comparisons need at least {}",
                name(forecast.figure),
                forecast.rounds,
                several,
                least_rounds(several, ALPHA)
            ),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_that_within_pairs() {
        // The second pair is far apart, and spreads as the first does.
        let pairs = [vec![0.1, -0.1, 0.1, -0.1], vec![1.1, 0.9, 1.1, 0.9]];
        let found = pooled(&pairs).unwrap();
        assert!((found - 0.1155).abs() < 1e-4, "{found}");
        assert_eq!(pooled(&[]), None);
    }
}
