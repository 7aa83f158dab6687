//! Figures and times as the tables of `weir runs` show them.

use metrics_db::{Run, RunStatus};
use time::OffsetDateTime;
use time::macros::format_description;

use lab_words::words;

/// `2026-11-21 10:42:05`, UTC.
pub(super) fn time(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.to_offset(time::UtcOffset::UTC)
        .format(&format)
        .unwrap_or_default()
}

/// Three significant digits, a dash where there is no figure.
pub(super) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), words::figure)
}

/// Thousands separated, a dash where there is no figure.
pub(super) fn count(value: Option<i64>) -> String {
    value.map_or_else(|| "-".to_owned(), words::count)
}

/// A share (0 to 1) in percent, a dash where there is no figure.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), words::percent)
}

/// The status, and whether the run counts: `completed`, `completed, not valid`, `failed`.
pub(super) fn standing(run: &Run) -> String {
    match (run.status, run.valid) {
        (RunStatus::Completed, Some(false)) => "completed, not valid".to_owned(),
        (status, _) => status.to_string(),
    }
}

/// `5 of 5`, `-` before the audit.
pub(super) fn audit(run: &Run) -> String {
    run.audit.map_or_else(
        || "-".to_owned(),
        |audit| {
            let mark = if audit.passed { "ok" } else { "FAILED" };
            format!(
                "{mark}, {} of {}",
                words::count(audit.stored),
                words::count(audit.acknowledged)
            )
        },
    )
}
