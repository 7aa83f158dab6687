//! The sentence of a run that measures: seen, limited, different or not.

use super::Sentence;
use crate::model::{Comparison, Level, Report, Standing, ThroughputRow, Verdict, VerdictKind};
use crate::stats::{MIN_TRIALS, trials_needed};
use crate::words::{figure, p_value, plural, ratio};
use lab_model::scenario::Terms;

pub(super) fn sentence(report: &Report, dead: &[usize], terms: &Terms) -> Verdict {
    let Some(payload) = payload(report) else {
        return Sentence::new()
            .say("Nothing was measured.")
            .end(VerdictKind::Failed, Level::Bad);
    };
    let rows = rows(report, payload);
    if rows.len() < 2 {
        return alone(report, &rows, dead, terms);
    }
    if let Some(verdict) = limited(report, &rows, terms) {
        return verdict;
    }
    let under = if report.payloads.len() > 1 {
        format!(" with the {payload} payload")
    } else {
        String::new()
    };
    let mut order: Vec<&ThroughputRow> = rows.clone();
    order.sort_by(|a, b| b.median.total_cmp(&a.median));
    let pair = |a: usize, b: usize| {
        report.comparisons.iter().find(|pair| {
            pair.payload == *payload
                && ((pair.higher, pair.lower) == (a, b) || (pair.higher, pair.lower) == (b, a))
        })
    };
    let Some(top) = pair(order[0].target, order[1].target) else {
        return Sentence::new()
            .say("Nothing was compared.")
            .end(VerdictKind::NoVerdict, Level::Warn);
    };
    match top.differs {
        None => seen(report, top, order.len(), &under, terms),
        Some(true) => difference(report, top, order.len(), &under, terms),
        Some(false) if order.len() == 2 => no_difference(report, top, &under, terms),
        Some(false) => shared_lead(report, &order, &under, terms),
    }
}

/// The payload that the sentence is about: the first of those in which most targets can be ranked.
pub(super) fn payload(report: &Report) -> Option<&String> {
    let measured = |payload: &String| {
        let rows = rows(report, payload);
        (rows.iter().filter(|row| row.ranked).count(), rows.len())
    };
    let best = report.payloads.iter().map(measured).max()?;
    report
        .payloads
        .iter()
        .find(|payload| measured(payload) == best)
}

pub(super) fn rows<'a>(report: &'a Report, payload: &str) -> Vec<&'a ThroughputRow> {
    report
        .throughput
        .iter()
        .filter(|row| row.payload == *payload)
        .collect()
}

/// One target has figures: it is said what they are, and what became of the others.
pub(super) fn alone(
    report: &Report,
    rows: &[&ThroughputRow],
    dead: &[usize],
    terms: &Terms,
) -> Verdict {
    let Some(row) = rows.first() else {
        return Sentence::new()
            .say("Nothing was measured.")
            .end(VerdictKind::Failed, Level::Bad);
    };
    let mut say = Sentence::new().name(report, row.target).say(&format!(
        " {} {} {}s a second ({})",
        terms.did,
        figure(row.median),
        terms.unit,
        report.rate_is
    ));
    if !dead.is_empty() {
        let reason = report
            .runs
            .iter()
            .find(|run| dead.contains(&run.target))
            .and_then(|run| run.reasons.first());
        let why = reason.map_or(String::new(), |reason| {
            format!(": {}", reason.trim_end_matches('.'))
        });
        return say
            .say("; ")
            .names(report, dead)
            .say(&format!(" finished no run{why}. Nothing to compare."))
            .end(VerdictKind::Failed, Level::Bad);
    }
    if let Some(reason) = &row.reason {
        say = say.say(&format!(", and {reason}"));
    }
    say.say(". There is nothing to compare it with.")
        .end(VerdictKind::Seen, Level::Ok)
}

/// Why there is no verdict, where one of the rows cannot be ranked: by the first with a trial that does not count, since a row
/// without one is kept back by the others.
pub(super) fn limited(report: &Report, rows: &[&ThroughputRow], terms: &Terms) -> Option<Verdict> {
    let disturbed = |row: &&ThroughputRow| {
        report.runs.iter().any(|run| {
            let own = run.target == row.target && run.payload == row.payload;
            own && run.standing == Standing::Invalid
        })
    };
    let unranked = || rows.iter().copied().filter(|row| !row.ranked);
    let row = unranked().find(disturbed).or(unranked().next())?;
    let (hit, all) = limited_phases(report);
    let (kind, why) = if hit > 0 {
        (
            VerdictKind::GeneratorLimited,
            format!(
                "the generator was the limit in {hit} of {}",
                plural(all, "phase")
            ),
        )
    } else {
        let name = &report.targets[row.target].name;
        let reason = row.reason.as_deref().unwrap_or_default();
        (
            VerdictKind::NoVerdict,
            format!("{name}: {}", reason.trim_end_matches('.')),
        )
    };
    let mut verdict = Sentence::new()
        .say(&format!("No verdict: {why}."))
        .end(kind, Level::Warn);
    let seen: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {}/s",
                report.targets[row.target].name,
                figure(row.median)
            )
        })
        .collect();
    let at_least = if hit > 0 {
        " Targets that wait for the generator could do more."
    } else {
        ""
    };
    verdict.notes.push(format!(
        "Seen, not ranked: {} ({}s {}, {}).{at_least}",
        seen.join(", "),
        terms.unit,
        terms.did,
        report.rate_is
    ));
    Some(verdict)
}

/// Phases, counted once per payload, in which the generator was the limit for any target; and all of them.
pub(crate) fn limited_phases(report: &Report) -> (usize, usize) {
    let mut seen: Vec<(&str, i32, bool)> = Vec::new();
    for row in &report.phase_rows {
        match seen
            .iter_mut()
            .find(|known| (known.0, known.1) == (&row.payload, row.phase.number))
        {
            Some(known) => known.2 |= row.generator_limited,
            None => seen.push((&row.payload, row.phase.number, row.generator_limited)),
        }
    }
    (seen.iter().filter(|phase| phase.2).count(), seen.len())
}

fn seen(report: &Report, top: &Comparison, targets: usize, under: &str, terms: &Terms) -> Verdict {
    let pairs = report.comparisons.len();
    let needed = trials_needed(pairs);
    let why = match top.trials {
        1 => "one trial each: no interval, so no verdict".to_owned(),
        trials if trials < MIN_TRIALS => {
            format!("{trials} trials each, {needed} are needed: no interval, so no verdict")
        }
        trials => format!(
            "{trials} trials each are too few for {pairs} comparisons, {needed} are needed: no verdict"
        ),
    };
    ratio_of(report, top, targets, under, terms)
        .say(&format!("; {why}."))
        .end(VerdictKind::Seen, Level::Ok)
}

fn difference(
    report: &Report,
    top: &Comparison,
    targets: usize,
    under: &str,
    terms: &Terms,
) -> Verdict {
    let interval = top.interval.map_or(String::new(), |interval| {
        format!(
            " (95 % interval {} to {})",
            ratio(interval.low),
            ratio(interval.high)
        )
    });
    ratio_of(report, top, targets, under, terms)
        .say(&format!("{interval}."))
        .end(VerdictKind::Difference, Level::Ok)
}

/// "a stored 1.58 times as many events a second as b", with the field named where there are more than two.
fn ratio_of(
    report: &Report,
    top: &Comparison,
    targets: usize,
    under: &str,
    terms: &Terms,
) -> Sentence {
    let say = Sentence::new().name(report, top.higher);
    // A ratio that reads 1.00 is no ratio to state.
    if top.ratio < 1.005 {
        let say = say.say(" and ").name(report, top.lower);
        return say.say(&format!(
            " {} equally many {}s a second (within 1 %){under}",
            terms.did, terms.unit
        ));
    }
    if targets == 2 {
        say.say(&format!(
            " {} {} times as many {}s a second as ",
            terms.did,
            ratio(top.ratio),
            terms.unit
        ))
        .name(report, top.lower)
        .say(under)
    } else {
        say.say(&format!(
            " {} the most {}s a second of {targets} targets{under}, {} times as many as the next, ",
            terms.did,
            terms.unit,
            ratio(top.ratio)
        ))
        .name(report, top.lower)
    }
}

fn no_difference(report: &Report, top: &Comparison, under: &str, terms: &Terms) -> Verdict {
    let p = top
        .p_corrected
        .map_or(String::new(), |p| format!("{}, ", p_value(p)));
    let interval = top.interval.map_or(String::new(), |interval| {
        format!(
            ", 95 % interval {} to {}",
            ratio(interval.low),
            ratio(interval.high)
        )
    });
    Sentence::new()
        .say("No detectable difference between ")
        .name(report, top.higher)
        .say(" and ")
        .name(report, top.lower)
        .say(&format!(
            " in {}s {} a second{under} ({p}ratio {}{interval}).",
            terms.unit,
            terms.did,
            ratio(top.ratio)
        ))
        .end(VerdictKind::NoDifference, Level::Ok)
}

/// Several targets share the first place.
fn shared_lead(report: &Report, order: &[&ThroughputRow], under: &str, terms: &Terms) -> Verdict {
    let lead: Vec<usize> = order
        .iter()
        .filter(|row| row.rank == Some(1))
        .map(|row| row.target)
        .collect();
    let say = Sentence::new()
        .say("No detectable difference between ")
        .names(report, &lead);
    let unit = terms.unit;
    if lead.len() == order.len() {
        return say
            .say(&format!(" in {unit}s {} a second{under}.", terms.did))
            .end(VerdictKind::NoDifference, Level::Ok);
    }
    say.say(&format!(
        ", which {} the most {unit}s a second of {} targets{under}.",
        terms.did,
        order.len()
    ))
    .end(VerdictKind::Difference, Level::Ok)
}
