//! Why the verdict may be believed: one badge a check, with its figure.

use std::cmp::Ordering;

use super::model::{
    Badge, CheckInfo, Level, Metric, PlaceRatio, Report, RunInfo, ScenarioInfo, Standing,
};
use super::scenarios::terms;
use lab_words::words::{count, list, percent, plural};

/// The badges in their fixed order, then one for each further check that is not as it should be.
pub fn of(report: &Report) -> Vec<Badge> {
    let mut badges = vec![audit(report), errors(report)];
    // Five requests cannot say anything about the generator.
    if report.measures {
        badges.push(generator(report));
        badges.push(dropped(report));
        badges.extend(place(report));
    }
    badges.extend([contract(report), settings(report), left_out(report)]);
    badges.extend(others(report));
    badges
}

fn badge(id: &str, level: Level, text: impl Into<String>, section: &'static str) -> Badge {
    Badge {
        id: id.to_owned(),
        level,
        text: text.into(),
        section,
    }
}

/// What the second place in a round has of the first: the furthest from 1 of each figure.
fn place(report: &Report) -> Option<Badge> {
    let mut told: Vec<&PlaceRatio> = Vec::new();
    for place in &report.places {
        let far = |place: &PlaceRatio| place.ratio.ln().abs();
        match told.iter_mut().find(|known| known.metric == place.metric) {
            Some(known) if far(known) < far(place) => *known = place,
            Some(_) => {}
            None => told.push(place),
        }
    }
    let words: Vec<String> = told
        .iter()
        .map(|place| {
            let what = match place.metric {
                Metric::Rate => "the rate",
                Metric::Cpu => "the service CPU",
                Metric::P99 => "the p99 latency",
            };
            format!("{} × {what}", lab_verdict::words::ratio(place.ratio))
        })
        .collect();
    let level = match told.iter().any(|place| place.is_notable) {
        true => Level::Warn,
        false => Level::Ok,
    };
    let text = format!("second in a round: {}", list(&words));
    (!words.is_empty()).then(|| badge("place", level, text, "rounds"))
}

fn finished(report: &Report) -> Vec<&RunInfo> {
    report
        .runs
        .iter()
        .filter(|run| run.standing != Standing::LeftOut)
        .collect()
}

fn audit(report: &Report) -> Badge {
    let failed: Vec<&RunInfo> = report
        .runs
        .iter()
        .filter(|run| run.audit_passed == Some(false))
        .collect();
    if !failed.is_empty() {
        let text = format!(
            "audit failed in {} of {}",
            failed.len(),
            plural(report.runs.len(), "run")
        );
        return badge("audit", Level::Bad, text, "trials");
    }
    let runs = finished(report);
    let missing = runs.iter().filter(|run| run.audit_passed.is_none()).count();
    if runs.is_empty() || missing > 0 {
        let text = format!("{missing} of {} not audited", plural(runs.len(), "run"));
        return badge("audit", Level::Warn, text, "trials");
    }
    let told: Vec<String> = report
        .scenarios
        .iter()
        .map(|scenario| audited(scenario, &runs))
        .collect();
    let text = told.join("; ");
    badge("audit", Level::Ok, text, "trials")
}

/// What was counted and what was found, in the words of the scenario.
fn audited(scenario: &ScenarioInfo, runs: &[&RunInfo]) -> String {
    let own = runs
        .iter()
        .filter(|run| scenario.targets.contains(&run.target));
    let own: Vec<&&RunInfo> = own.collect();
    let sum =
        |part: fn(&RunInfo) -> Option<i64>| -> i64 { own.iter().filter_map(|run| part(run)).sum() };
    let (counted, found) = (
        sum(|run| run.audit_acknowledged),
        sum(|run| run.audit_stored),
    );
    let terms = terms(&scenario.name);
    let mut text = match scenario.name.as_str() {
        "ingest" => format!(
            "{} acknowledged, {} stored once",
            count(counted),
            count(found)
        ),
        _ => format!(
            "{} {}s {}, {} {}",
            count(counted),
            terms.unit,
            terms.counted,
            count(found),
            terms.found
        ),
    };
    let doubt = sum(|run| run.audit_in_doubt);
    if doubt > 0 {
        text.push_str(&format!(", {} in doubt", count(doubt)));
    }
    text
}

fn errors(report: &Report) -> Badge {
    let runs = finished(report);
    let requests: i64 = runs.iter().filter_map(|run| run.requests).sum();
    let failed: i64 = runs.iter().filter_map(|run| run.failed).sum();
    if failed == 0 {
        return badge("errors", Level::Ok, "no errors", "phases");
    }
    let share = failed as f64 / requests.max(1) as f64;
    let level = if share > 0.05 {
        Level::Bad
    } else {
        Level::Warn
    };
    badge(
        "errors",
        level,
        format!("{} errors ({})", count(failed), percent(share)),
        "phases",
    )
}

fn generator(report: &Report) -> Badge {
    let runs = finished(report);
    let shares = runs.iter().filter_map(|run| run.generator_share);
    let Some(most) = shares.reduce(f64::max) else {
        return badge("generator", Level::Warn, "generator not sampled", "phases");
    };
    let (hit, all) = super::verdict::limited_phases(report);
    if hit > 0 {
        let text = format!(
            "generator the limit in {hit} of {}, up to {} busy",
            plural(all, "phase"),
            percent(most)
        );
        return badge("generator", Level::Warn, text, "phases");
    }
    // In trials that are not shown, since they do not count.
    let limited = runs.iter().filter(|run| !run.generator_limited.is_empty());
    let (level, text) = match limited.count() {
        0 => (
            Level::Ok,
            format!("generator at most {} busy", percent(most)),
        ),
        some => (
            Level::Warn,
            format!(
                "generator the limit in {some} of {}, up to {} busy",
                plural(runs.len(), "trial"),
                percent(most)
            ),
        ),
    };
    badge("generator", level, text, "phases")
}

fn dropped(report: &Report) -> Badge {
    let dropped: i64 = finished(report).iter().filter_map(|run| run.dropped).sum();
    match dropped {
        0 => badge("dropped", Level::Ok, "no dropped iterations", "trials"),
        some => badge(
            "dropped",
            Level::Warn,
            format!("{} dropped iterations", count(some)),
            "trials",
        ),
    }
}

fn contract(report: &Report) -> Badge {
    let of = |run: &RunInfo| {
        run.checks
            .iter()
            .find(|check| check.id == "contract")
            .map(|check| check.level)
    };
    let broken: Vec<&str> = (0..report.targets.len())
        .filter(|target| {
            report
                .runs
                .iter()
                .any(|run| run.target == *target && of(run) == Some(Level::Bad))
        })
        .map(|target| report.targets[target].name.as_str())
        .collect();
    if !broken.is_empty() {
        return badge(
            "contract",
            Level::Bad,
            format!("contract broken by {}", list(&broken)),
            "trials",
        );
    }
    let runs = finished(report);
    let unverified = runs.iter().filter(|run| of(run).is_none()).count();
    if runs.is_empty() || unverified > 0 {
        let text = format!(
            "contract not verified in {unverified} of {}",
            plural(runs.len(), "run")
        );
        return badge("contract", Level::Warn, text, "trials");
    }
    badge(
        "contract",
        Level::Ok,
        "same contract, verified before each run",
        "trials",
    )
}

fn settings(report: &Report) -> Badge {
    match report.fingerprints.as_slice() {
        [one] if !one.value.is_empty() => {
            let short: String = one.value.chars().take(8).collect();
            badge(
                "settings",
                Level::Ok,
                format!("equal settings (fingerprint {short})"),
                "environment",
            )
        }
        [_] | [] => badge(
            "settings",
            Level::Warn,
            "settings not recorded",
            "environment",
        ),
        many => {
            let differing = report
                .settings
                .iter()
                .filter(|setting| setting.differs)
                .count();
            let verb = if differing == 1 { "differs" } else { "differ" };
            let text = format!(
                "{} environments, {} {verb}",
                many.len(),
                plural(differing, "setting")
            );
            badge("settings", Level::Bad, text, "environment")
        }
    }
}

fn left_out(report: &Report) -> Badge {
    let with = |standing| -> Vec<&RunInfo> {
        let runs = report.runs.iter();
        runs.filter(|run| run.standing == standing).collect()
    };
    let (out, invalid) = (with(Standing::LeftOut), with(Standing::Invalid));
    let all = plural(report.runs.len(), "trial");
    let mut parts = Vec::new();
    if let Some(first) = out.first() {
        let reason = first.reasons.first().map(|reason| shorten(reason));
        parts.push(format!(
            "{} of {all} left out{}",
            out.len(),
            reason.map_or(String::new(), |reason| format!(": {reason}"))
        ));
    }
    if !invalid.is_empty() {
        let number = invalid.len();
        parts.push(format!("{number} of {all} not ranked{}", failing(&invalid)));
    }
    if parts.is_empty() {
        let text = format!("{all}, none left out");
        return badge("left_out", Level::Ok, text, "trials");
    }
    badge("left_out", Level::Warn, parts.join("; "), "trials")
}

/// The checks that failed in these runs, in parentheses.
fn failing(runs: &[&RunInfo]) -> String {
    let checks = runs.iter().flat_map(|run| &run.checks);
    let mut labels: Vec<String> = checks
        .filter(|check| check.level == Level::Bad)
        .map(|check| check.label.to_lowercase())
        .collect();
    labels.sort_unstable();
    labels.dedup();
    if labels.is_empty() {
        String::new()
    } else {
        format!(" ({})", labels.join(", "))
    }
}

/// Reasons may be a service's whole error; a badge takes one line of it.
fn shorten(reason: &str) -> String {
    let line = reason
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    if line.chars().count() <= 80 {
        return line.to_owned();
    }
    let cut: String = line.chars().take(79).collect();
    format!("{}…", cut.trim_end())
}

/// Checks that the lab made beyond those above, where one is not as it should be: the worst of each, and in how many trials.
fn others(report: &Report) -> Vec<Badge> {
    const SHOWN: [&str; 6] = [
        "audit",
        "errors",
        "generator_cpu",
        "dropped",
        "contract",
        "mode",
    ];
    let runs = finished(report);
    let mut found: Vec<(&CheckInfo, usize)> = Vec::new();
    for check in runs.iter().flat_map(|run| &run.checks) {
        if check.level == Level::Ok || SHOWN.contains(&check.id.as_str()) {
            continue;
        }
        match found.iter_mut().find(|(known, _)| known.id == check.id) {
            Some((known, number)) => {
                *number += 1;
                if is_worse(check, known) {
                    *known = check;
                }
            }
            None => found.push((check, 1)),
        }
    }
    let in_all = runs.len();
    found
        .into_iter()
        .map(|(check, number)| {
            let figure = &check.figure;
            let mut text = format!("{}: {figure}", check.label);
            if in_all > 1 {
                let at_worst = if number > 1 && check.value.is_some() {
                    " at worst"
                } else {
                    ""
                };
                let all = plural(in_all, "trial");
                text.push_str(&format!("{at_worst}, in {number} of {all}"));
            }
            badge(&check.id, check.level, text, "trials")
        })
        .collect()
}

/// By level, then by the value: the more the worse, but for the rate that was reached. Rows stored before checks were data
/// have no value, and are told apart by their level alone.
fn is_worse(check: &CheckInfo, known: &CheckInfo) -> bool {
    let badness = |check: &CheckInfo| match check.id.as_str() {
        "rate" => check.value.map(|reached| -reached),
        _ => check.value,
    };
    let by_value = || badness(check).partial_cmp(&badness(known));
    match check.level.cmp(&known.level) {
        Ordering::Equal => by_value() == Some(Ordering::Greater),
        by_level => by_level == Ordering::Greater,
    }
}
