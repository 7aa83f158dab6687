//! The smaller sentences under the verdict: other payloads, latency, cost, and what qualifies them.

use super::{Terms, compared};
use crate::report::model::{Comparison, Report, Standing, VerdictKind};
use crate::report::words::{figure, list, p_value, percent, plural, ratio};

pub(super) fn of(report: &Report, kind: VerdictKind, terms: &Terms) -> Vec<String> {
    let mut notes = Vec::new();
    if matches!(kind, VerdictKind::AuditFailed | VerdictKind::Failed) {
        return notes;
    }
    if !report.measures {
        let requests: i64 = report.runs.iter().filter_map(|run| run.requests).sum();
        notes.push(format!(
            "{} in {}, each answered, and each event found in the database afterwards. For figures: full, \
             saturation.",
            plural(usize::try_from(requests).unwrap_or(0), "request"),
            plural(report.runs.len(), "run"),
        ));
        return notes;
    }
    notes.extend(other_payloads(report, kind));
    notes.extend(latency(report));
    notes.extend(cost(report, terms));
    notes.extend(think_time(report));
    notes.extend(partly_limited(report, kind));
    if report.phase_scale != 1.0 {
        notes.push(format!(
            "Phases scaled by {}: a trial of the set-up, not a figure to quote.",
            report.phase_scale
        ));
    }
    notes
}

/// The other payloads in one sentence.
fn other_payloads(report: &Report, kind: VerdictKind) -> Option<String> {
    if report.targets.len() != 2 || kind == VerdictKind::GeneratorLimited {
        return None;
    }
    let said: Vec<String> = report
        .comparisons
        .iter()
        .map(|pair| pair_in_words(report, pair))
        .collect();
    (said.len() > 1).then(|| format!("By payload: {}.", said.join("; ")))
}

fn pair_in_words(report: &Report, pair: &Comparison) -> String {
    let higher = &report.targets[pair.higher].name;
    let interval = pair.interval.map_or(String::new(), |i| {
        format!(" ({} to {})", ratio(i.low), ratio(i.high))
    });
    match pair.differs {
        Some(false) => {
            let p = pair
                .p_corrected
                .map_or(String::new(), |p| format!(" ({})", p_value(p)));
            format!("{} no detectable difference{p}", pair.payload)
        }
        _ => format!(
            "{} {higher} {} times{interval}",
            pair.payload,
            ratio(pair.ratio)
        ),
    }
}

/// p99 under the heaviest load that all targets ran, first payload.
fn latency(report: &Report) -> Option<String> {
    let payload = report.payloads.first()?;
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
        format!(
            "At {} VUs{under}, 99 % were answered within {}.",
            last.vus,
            list(&said)
        )
    })
}

fn cost(report: &Report, terms: &Terms) -> Option<String> {
    let payload = report.payloads.first()?;
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
    let article = if terms.unit == "event" { "an" } else { "a" };
    (!said.is_empty()).then(|| format!("Service CPU {article} {}: {}.", terms.unit, list(&said)))
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
        format!("The generator was the limit in {hit} of {all} phases (hollow in the figures).")
    })
}
