//! The first sentence: what was found, or why nothing can be said.
//!
//! In this order, the first that applies: a failed audit, nothing finished, smoke, nothing to compare, the
//! generator (or another check) as the limit, too few trials, and only then a difference or none.

mod compared;
mod notes;
mod open;
pub(crate) mod phrase;
mod sentence;

pub(crate) use compared::limited_phases;

use super::model::{Level, Report, RunInfo, Span, Standing, Verdict, VerdictKind};
use super::scenarios::terms;
use lab_model::scenario::Terms;
use lab_words::words::{capitalised, count, list, plural};
use sentence::Sentence;

/// Judges a report of one scenario that is complete but for its verdict.
pub fn judge(report: &Report) -> Verdict {
    let scenario = report.scenarios.first();
    let terms = terms(scenario.map_or("ingest", |scenario| scenario.name.as_str()));
    let mut verdict = sentence(report, &terms);
    let compares = matches!(
        verdict.kind,
        VerdictKind::Difference | VerdictKind::Equal | VerdictKind::Open
    );
    let environments = report.fingerprints.len();
    if compares && environments > 1 {
        verdict.level = verdict.level.max(Level::Warn);
        verdict.sentence.push(Span {
            text: format!(
                " The trials come from {environments} environments: not a fair comparison."
            ),
            target: None,
        });
    }
    verdict
        .notes
        .extend(notes::of(report, verdict.kind, &terms));
    verdict
}

/// The verdicts of several scenarios, each from a report of its own, as one: the worst comes first in kind and level.
pub fn of_several(report: &Report, own: Vec<(String, Report)>) -> Verdict {
    let smoke = |part: &Report| part.verdict.kind == VerdictKind::Smoke;
    if own.iter().all(|(_, part)| smoke(part)) {
        let mut verdict = self::smoke(report);
        let told = own.into_iter().flat_map(|(name, part)| {
            let name = capitalised(&name);
            let notes = part.verdict.notes.into_iter();
            notes.map(move |note| (name.clone(), note))
        });
        verdict.notes = once(told.collect());
        return verdict;
    }
    let mut sentence = Vec::new();
    let mut notes = Vec::new();
    let mut worst: Option<(Level, VerdictKind)> = None;
    for (name, part) in own {
        let place = |target: usize| {
            let name = &part.targets[target].name;
            report
                .targets
                .iter()
                .position(|target| target.name == *name)
        };
        // A line for each: the page and a terminal break there.
        let gap = if sentence.is_empty() { "" } else { "\n" };
        sentence.push(Span {
            text: format!("{gap}{}: ", capitalised(&name)),
            target: None,
        });
        sentence.extend(part.verdict.sentence.iter().map(|span| Span {
            text: span.text.clone(),
            target: span.target.and_then(place),
        }));
        notes.extend(
            part.verdict
                .notes
                .iter()
                .map(|note| (capitalised(&name), note.clone())),
        );
        let found = (part.verdict.level, part.verdict.kind);
        if worst.is_none_or(|worst| found.0 > worst.0) {
            worst = Some(found);
        }
    }
    let (level, kind) = worst.unwrap_or((Level::Bad, VerdictKind::Failed));
    Verdict {
        kind,
        level,
        sentence,
        notes: once(notes),
    }
}

/// Notes with the names of their scenarios; one that several have is told once.
fn once(notes: Vec<(String, String)>) -> Vec<String> {
    let mut told: Vec<(Vec<String>, String)> = Vec::new();
    for (name, note) in notes {
        match told.iter_mut().find(|(_, known)| *known == note) {
            Some((names, _)) => names.push(name),
            None => told.push((vec![name], note)),
        }
    }
    told.iter()
        .map(|(names, note)| format!("{}: {note}", list(names)))
        .collect()
}

fn sentence(report: &Report, terms: &Terms) -> Verdict {
    let failed_audits: Vec<&RunInfo> = report
        .runs
        .iter()
        .filter(|run| run.audit_passed == Some(false))
        .collect();
    if !failed_audits.is_empty() {
        return audit_failed(report, &failed_audits, terms);
    }
    let finished = |target: usize| {
        report
            .runs
            .iter()
            .any(|run| run.target == target && run.standing != Standing::LeftOut)
    };
    let dead: Vec<usize> = (0..report.targets.len())
        .filter(|target| !finished(*target))
        .collect();
    if dead.len() == report.targets.len() || (!dead.is_empty() && !report.measures) {
        return not_working(report, &dead);
    }
    if !report.measures {
        return smoke(report);
    }
    match report.intended_rate {
        Some(rate) => open::sentence(report, rate, &dead, terms),
        None => compared::sentence(report, &dead, terms),
    }
}

fn audit_failed(report: &Report, runs: &[&RunInfo], terms: &Terms) -> Verdict {
    if runs.iter().any(|run| run.scenario != "ingest") {
        return audit_failed_in_words(report, runs);
    }
    let mut say = Sentence::new().say("The audit failed: ");
    for (place, target) in distinct(runs).into_iter().enumerate() {
        let of = |part: fn(&RunInfo) -> Option<i64>| -> i64 {
            runs.iter()
                .filter(|run| run.target == target)
                .filter_map(|run| part(run))
                .sum()
        };
        let (acknowledged, stored) = (of(|run| run.audit_acknowledged), of(|run| run.audit_stored));
        say = say
            .say(if place > 0 { "; " } else { "" })
            .name(report, target)
            .say(&format!(
                " acknowledged {} {}s, and {} {} in the database",
                count(acknowledged),
                terms.unit,
                count(stored),
                if stored == 1 { "is" } else { "are" }
            ));
    }
    let mut verdict = say.say(".").end(VerdictKind::AuditFailed, Level::Bad);
    verdict.notes.push(format!(
        "In {} of {}. Rates and latencies of a target that loses what it acknowledged, or stores what was not \
         sent, mean nothing: nothing is ranked.",
        runs.len(),
        plural(report.runs.len(), "run")
    ));
    verdict
}

/// Other audits compare more than two counts: what they found is a sentence of the run's check.
fn audit_failed_in_words(report: &Report, runs: &[&RunInfo]) -> Verdict {
    let targets = distinct(runs);
    let mut verdict = Sentence::new()
        .say("The audit failed for ")
        .names(report, &targets)
        .say(".")
        .end(VerdictKind::AuditFailed, Level::Bad);
    for target in targets {
        let said = runs
            .iter()
            .find(|run| run.target == target)
            .and_then(|run| {
                let check = run.checks.iter().find(|check| check.id == "audit")?;
                Some(check.detail.trim_start_matches("Audit: "))
            });
        let name = &report.targets[target].name;
        verdict
            .notes
            .extend(said.map(|said| format!("{name}: {said}")));
    }
    verdict.notes.push(format!(
        "In {} of {}. Rates and latencies of a target whose work is not what it says mean nothing: nothing is ranked.",
        runs.len(),
        plural(report.runs.len(), "run")
    ));
    verdict
}

fn not_working(report: &Report, dead: &[usize]) -> Verdict {
    let mut verdict = if report.targets.is_empty() {
        Sentence::new()
            .say("No run was made.")
            .end(VerdictKind::Failed, Level::Bad)
    } else {
        let what = match (report.measures, dead.len()) {
            (false, 1) => " does not work.",
            (false, _) => " do not work.",
            (true, _) => ": no run was finished.",
        };
        Sentence::new()
            .names(report, dead)
            .say(what)
            .end(VerdictKind::Failed, Level::Bad)
    };
    let alive: Vec<&str> = (0..report.targets.len())
        .filter(|target| !dead.contains(target))
        .map(|target| report.targets[target].name.as_str())
        .collect();
    for target in dead {
        let reason = report
            .runs
            .iter()
            .find(|run| run.target == *target)
            .and_then(|run| run.reasons.first());
        if let Some(reason) = reason {
            verdict.notes.push(format!(
                "{}: {}.",
                report.targets[*target].name,
                reason.trim_end_matches('.')
            ));
        }
    }
    if !alive.is_empty() {
        verdict.notes.push(format!(
            "{} {}.",
            list(&alive),
            if alive.len() == 1 { "works" } else { "work" }
        ));
    }
    verdict
}

fn smoke(report: &Report) -> Verdict {
    let works = match report.targets.len() {
        1 => "The target works.".to_owned(),
        2 => "Both targets work.".to_owned(),
        more => format!("All {more} targets work."),
    };
    // A target may have answered under one payload and failed under another.
    let broken = report
        .runs
        .iter()
        .filter(|run| run.standing == Standing::LeftOut)
        .count();
    let errors: i64 = report.runs.iter().filter_map(|run| run.failed).sum();
    if broken > 0 {
        let say = format!(
            "{} of {} failed.",
            broken,
            plural(report.runs.len(), "smoke run")
        );
        let mut verdict = Sentence::new()
            .say(&say)
            .end(VerdictKind::Failed, Level::Bad);
        for run in report
            .runs
            .iter()
            .filter(|run| run.standing == Standing::LeftOut)
            .take(4)
        {
            let reason = run.reasons.first().map_or("failed", String::as_str);
            let name = &report.targets[run.target].name;
            verdict.notes.push(format!(
                "{name}, {} payload: {}.",
                run.payload,
                reason.trim_end_matches('.')
            ));
        }
        return verdict;
    }
    if errors > 0 {
        let say = format!(
            "{} failed. A smoke run should have none.",
            plural(errors as usize, "request")
        );
        return Sentence::new()
            .say(&say)
            .end(VerdictKind::Failed, Level::Bad);
    }
    Sentence::new()
        .say(&works)
        .say(" A smoke run measures nothing, so nothing is ranked.")
        .end(VerdictKind::Smoke, Level::Ok)
}

fn distinct(runs: &[&RunInfo]) -> Vec<usize> {
    let mut targets: Vec<usize> = runs.iter().map(|run| run.target).collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}
