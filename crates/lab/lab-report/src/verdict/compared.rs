//! The sentence of a run that measures: seen, limited, different or not.

use super::phrase;
use super::sentence::Sentence;
use crate::model::{
    Comparison, Level, Outcome, Report, Standing, ThroughputRow, Verdict, VerdictKind,
};
use lab_model::scenario::Terms;
use lab_words::words::{capitalised, figure, plural};

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
    if order.len() > 2 && matches!(top.outcome, Some(Outcome::Equal | Outcome::Open)) {
        return shared_lead(report, &order, &under, terms);
    }
    top_pair(report, top, order.len(), &under, terms)
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
    // Where others are ranked all the same, the table of ranks has their figures.
    let others_are_ranked = rows.iter().filter(|row| row.ranked).count() > 1;
    let seen: Vec<String> = rows
        .iter()
        .filter(|row| !(others_are_ranked && row.ranked))
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

/// The sentence of the pair at the top.
fn top_pair(
    report: &Report,
    top: &Comparison,
    targets: usize,
    under: &str,
    terms: &Terms,
) -> Verdict {
    let say = if targets == 2 {
        phrase::clause(Sentence::new(), report, top, terms, under)
    } else {
        most_of_all(report, top, targets, under, terms)
    };
    let (say, kind) = match top.outcome {
        None => {
            let why = phrase::why_not(top, report.comparisons.len());
            (say.say(&format!("; {why}")), VerdictKind::Seen)
        }
        Some(outcome) => (say, kind_of(outcome)),
    };
    let mut verdict = say.say(".").end(kind, Level::Ok);
    if let Some(first) = verdict
        .sentence
        .first_mut()
        .filter(|span| span.target.is_none())
    {
        first.text = capitalised(&first.text);
    }
    verdict
}

fn most_of_all(
    report: &Report,
    top: &Comparison,
    targets: usize,
    under: &str,
    terms: &Terms,
) -> Sentence {
    let certainty = match top.outcome {
        Some(_) => format!(" ({})", phrase::certainty(top)),
        None => String::new(),
    };
    Sentence::new()
        .name(report, top.higher)
        .say(&format!(
            " {} the most {}s a second of {targets} targets{under}, {} times as many as the next, ",
            terms.did,
            terms.unit,
            phrase::ratio_beside_interval(top)
        ))
        .name(report, top.lower)
        .say(&certainty)
}

pub(super) fn kind_of(outcome: Outcome) -> VerdictKind {
    match outcome {
        Outcome::Different => VerdictKind::Difference,
        Outcome::Equal => VerdictKind::Equal,
        Outcome::Open => VerdictKind::Open,
    }
}

/// Several targets share the first place.
fn shared_lead(report: &Report, order: &[&ThroughputRow], under: &str, terms: &Terms) -> Verdict {
    let lead: Vec<usize> = order
        .iter()
        .filter(|row| row.rank == Some(1))
        .map(|row| row.target)
        .collect();
    let unit = terms.unit;
    let among = if lead.len() == order.len() {
        String::new()
    } else {
        format!(" of {} targets", order.len())
    };
    Sentence::new()
        .names(report, &lead)
        .say(&format!(
            " {} the most {unit}s a second{among}{under}; between them it is not decided.",
            terms.did
        ))
        .end(VerdictKind::Open, Level::Ok)
}
