//! Whether the place in a round matters: the second place to the first, freed from the difference between the targets.

use std::collections::BTreeMap;

use lab_verdict::position::{self, NOTABLE, Placed};

use super::model::{Metric, PlaceRatio, Report, RunInfo, Standing};

/// A ratio for each payload and each metric that is compared. None where all rounds ran in one order.
pub fn of(report: &Report) -> Vec<PlaceRatio> {
    let mut metrics: Vec<Metric> = Vec::new();
    for pair in &report.comparisons {
        if !metrics.contains(&pair.metric) {
            metrics.push(pair.metric);
        }
    }
    let mut found = Vec::new();
    for payload in &report.payloads {
        let rounds = rounds(report, payload);
        let order = |round: &Vec<&RunInfo>| round.iter().map(|run| run.target).collect::<Vec<_>>();
        let first = rounds.first().map(order);
        if rounds.iter().all(|round| Some(order(round)) == first) {
            continue;
        }
        for metric in &metrics {
            let placed: Vec<Vec<Placed>> = rounds
                .iter()
                .filter_map(|round| {
                    let each = round.iter().map(|run| {
                        Some(Placed {
                            target: run.target,
                            figure: metric.of(run)?,
                        })
                    });
                    each.collect()
                })
                .collect();
            found.extend(position::ratio(&placed).map(|ratio| PlaceRatio {
                payload: payload.clone(),
                metric: *metric,
                ratio,
                is_notable: (ratio - 1.0).abs() > NOTABLE,
            }));
        }
    }
    found
}

/// The rounds in which every trial counts, each in the order run.
fn rounds<'a>(report: &'a Report, payload: &str) -> Vec<Vec<&'a RunInfo>> {
    let mut rounds: BTreeMap<(&str, i32), Vec<&RunInfo>> = BTreeMap::new();
    let own = report.runs.iter().filter(|run| run.payload == payload);
    for run in own.filter(|run| run.standing == Standing::Counted) {
        rounds
            .entry((&run.session, run.trial))
            .or_default()
            .push(run);
    }
    let targets = report
        .scenarios
        .iter()
        .find(|scenario| scenario.payloads.iter().any(|own| own == payload))
        .map_or(0, |scenario| scenario.targets.len());
    let mut rounds: Vec<Vec<&RunInfo>> = rounds
        .into_values()
        .filter(|round| targets > 1 && round.len() == targets)
        .collect();
    for round in &mut rounds {
        round.sort_by_key(|run| run.order);
    }
    rounds
}
