//! What stands at the head of a report: mode and targets, when it was measured and on which machine, the sessions.

use metrics_db::Session;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::model::{Report, SessionInfo, Target};
use lab_words::words::{figure, list, plural};

/// Mode and targets.
pub(crate) fn title(mode: &str, targets: &[Target]) -> String {
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    match names.as_slice() {
        [] => format!("Weir {mode}"),
        [one] => format!("Weir {mode}: {one}"),
        many => format!("Weir {mode}: {}", list(many)),
    }
}

/// When, how much, on which machine.
pub(crate) fn subtitle(report: &Report, sessions: &[&Session], rates: &[f64]) -> String {
    let mut parts = Vec::new();
    let format =
        format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
    // What several sessions were stands in a line of its own.
    let only = match sessions {
        [only] => Some(only),
        _ => None,
    };
    parts.extend(only.and_then(|session| session.started_at.format(&format).ok()));
    let trials = || report.throughput.iter().map(|row| row.trials.len());
    let (fewest, most) = (trials().min().unwrap_or(0), trials().max().unwrap_or(0));
    let trials = if fewest == most {
        plural(most, "trial")
    } else {
        format!("{fewest} to {}", plural(most, "trial"))
    };
    let scale = if report.phase_scale == 1.0 {
        String::new()
    } else {
        format!(" at scale {}", report.phase_scale)
    };
    parts.push(format!("{}{scale}, {trials} each", report.mode));
    let mut told: Vec<String> = Vec::new();
    for rate in rates.iter().map(|rate| figure(*rate)) {
        if !told.contains(&rate) {
            told.push(rate);
        }
    }
    if !told.is_empty() {
        parts.push(format!("{} arrivals/s", list(&told)));
    }
    let what = match (&report.scenarios[..], report.payloads.len()) {
        ([_, _, ..], _) => "scenarios",
        (_, 1) => "payload",
        _ => "payloads",
    };
    parts.push(format!("{what} {}", report.payloads.join(", ")));
    if let Some(session) = only {
        parts.push(format!("seed {}", session.seed));
        parts.extend(machine(&session.environment));
        parts.push(session.runtime.clone());
        parts.push(format!("session {}", session.id));
    }
    parts.join(" · ")
}

/// Cores, memory, and the versions that matter most.
fn machine(environment: &Value) -> Option<String> {
    let text = |path| environment.pointer(path).and_then(Value::as_str);
    let number = |path| environment.pointer(path).and_then(Value::as_f64);
    let version = |name: &str, path| Some(format!("{name} {}", version_in(text(path)?)?));
    let parts: Vec<String> = [
        number("/machine/cores").map(|cores| {
            if cores == 1.0 {
                "1 core".to_owned()
            } else {
                format!("{cores} cores")
            }
        }),
        number("/machine/memory_mb").map(|mb| format!("{:.0} GiB", mb / 1024.0)),
        version(text("/machine/os").unwrap_or("kernel"), "/machine/kernel"),
        version("PostgreSQL", "/database/version"),
        version("k6", "/lab/k6"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The first dotted number of a text: `1.1.0` of `k6 v1.1.0 (commit/…)`.
fn version_in(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|part| part.trim_matches('.'))
        .find(|part| part.contains('.'))
        .map(str::to_owned)
}

/// `2026-11-21 10:42`.
pub(crate) fn utc_minutes(time: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]");
    let utc = time.to_offset(time::UtcOffset::UTC);
    utc.format(&format).unwrap_or_default()
}

/// A session as the report names it.
pub(crate) fn session_info(session: &Session) -> SessionInfo {
    let text = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
    SessionInfo {
        id: session.id.clone(),
        command: session.command.clone(),
        seed: session.seed,
        runtime: session.runtime.clone(),
        git_commit: session.git_commit.clone(),
        fingerprint: session.fingerprint.clone(),
        started_at: text(session.started_at),
        completed_at: session.completed_at.map(text),
    }
}
