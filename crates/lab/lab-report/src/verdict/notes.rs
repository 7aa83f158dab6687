//! The smaller sentences under the verdict: other payloads, latency, cost, and what qualifies them.

use super::{compared, phrase};
use crate::model::{Comparison, Outcome, Report, Standing, VerdictKind};
use lab_model::scenario::Terms;
use lab_words::words::{count, figure, list, percent, plural};

pub(super) fn of(report: &Report, kind: VerdictKind, terms: &Terms) -> Vec<String> {
    let mut notes = Vec::new();
    if matches!(kind, VerdictKind::AuditFailed | VerdictKind::Failed) {
        return notes;
    }
    if !report.measures {
        let requests: i64 = report.runs.iter().filter_map(|run| run.requests).sum();
        notes.push(format!(
            "{} in {}, each answered, and {}. For figures: full, saturation.",
            plural(usize::try_from(requests).unwrap_or(0), "request"),
            plural(report.runs.len(), "run"),
            terms.proof,
        ));
        return notes;
    }
    if report.intended_rate.is_none() {
        notes.extend(other_payloads(report, kind));
    }
    let found: Vec<String> = [latency(report), cost(report, terms)]
        .into_iter()
        .flatten()
        .collect();
    notes.extend((!found.is_empty()).then(|| found.join(" ")));
    let qualified: Vec<String> = [
        think_time(report),
        partly_limited(report, kind),
        scaled(report),
    ]
    .into_iter()
    .flatten()
    .collect();
    notes.extend((!qualified.is_empty()).then(|| qualified.join(" ")));
    notes
}

/// The payloads that the sentence is not about.
fn other_payloads(report: &Report, kind: VerdictKind) -> Option<String> {
    if report.targets.len() != 2 || kind == VerdictKind::GeneratorLimited {
        return None;
    }
    let told = compared::payload(report)?;
    let said: Vec<String> = report
        .comparisons
        .iter()
        .filter(|pair| pair.payload != *told)
        .map(|pair| pair_in_words(report, pair))
        .collect();
    (!said.is_empty()).then(|| format!("With {}.", said.join("; with ")))
}

fn pair_in_words(report: &Report, pair: &Comparison) -> String {
    let (payload, higher) = (&pair.payload, &report.targets[pair.higher].name);
    let times = phrase::ratio_beside_interval(pair);
    match pair.outcome {
        Some(Outcome::Equal) => format!(
            "{payload} equal within {}",
            lab_verdict::words::percent(report.margin)
        ),
        Some(Outcome::Open) => format!("{payload} not decided ({})", phrase::certainty(pair)),
        Some(Outcome::Different) => {
            format!(
                "{payload} {higher} {times} times as many ({})",
                phrase::certainty(pair)
            )
        }
        None => format!("{payload} {higher} {times} times as many"),
    }
}

fn scaled(report: &Report) -> Option<String> {
    (report.phase_scale != 1.0).then(|| {
        format!(
            "Phases scaled by {}: a trial of the set-up, not a figure to quote.",
            report.phase_scale
        )
    })
}

/// p99 under the heaviest load that all targets ran, the sentence's payload.
fn latency(report: &Report) -> Option<String> {
    let payload = compared::payload(report)?;
    let last = report.phases.last()?;
    let said: Vec<String> = report
        .phase_rows
        .iter()
        .filter(|row| row.payload == *payload && row.phase.number == last.number)
        .filter_map(|row| {
            Some(format!(
                "{} ms ({})",
                figure(row.latency.p99?),
                report.targets[row.target].name
            ))
        })
        .collect();
    let under = if report.payloads.len() > 1 {
        format!(", {payload} payload")
    } else {
        String::new()
    };
    (!said.is_empty()).then(|| {
        let load = match report.intended_rate {
            Some(rate) => format!("{} arrivals a second", figure(rate)),
            None => format!("{} VUs", count(i64::from(last.vus))),
        };
        format!(
            "At {load}{under}, 99 % were answered within {}.",
            list(&said)
        )
    })
}

fn cost(report: &Report, terms: &Terms) -> Option<String> {
    let payload = compared::payload(report)?;
    let said: Vec<String> = report
        .cost
        .iter()
        .filter(|row| row.payload == *payload)
        .filter_map(|row| {
            Some(format!(
                "{} µs ({})",
                figure(row.cpu_us.target?),
                report.targets[row.target].name
            ))
        })
        .collect();
    (!said.is_empty()).then(|| format!("Service CPU {}: {}.", terms.one(), list(&said)))
}

fn think_time(report: &Report) -> Option<String> {
    let pause = report.think_time_ms.filter(|pause| *pause > 0.0)?;
    let vus = report.phases.iter().map(|phase| phase.vus).max()?;
    Some(format!(
        "Each VU waits {} ms between requests, so {vus} VUs send at most {} a second: this mode compares latency \
         and cost under a given load, not capacity.",
        figure(pause),
        figure(f64::from(vus) * 1000.0 / pause)
    ))
}

/// Phases at the generator's limit that did not decide the verdict.
fn partly_limited(report: &Report, kind: VerdictKind) -> Option<String> {
    let (hit, all) = compared::limited_phases(report);
    if kind == VerdictKind::GeneratorLimited {
        let share = report
            .runs
            .iter()
            .filter(|run| run.standing != Standing::LeftOut)
            .filter_map(|run| run.generator_share)
            .reduce(f64::max)?;
        return Some(format!(
            "The generator used up to {} of the CPU that it may use.",
            percent(share)
        ));
    }
    (hit > 0).then(|| {
        format!(
            "The generator was the limit in {hit} of {} (hollow in the figures).",
            plural(all, "phase")
        )
    })
}
