//! What a check says: the one place where the data of a check becomes words.
//!
//! A check is stored as data (`metrics_db::Check`). A check with a new id needs three things: the code that makes it (in
//! `lab-trial`: `validity`, `judged`), an arm in [`words`], and a case in this file's test.
//!
//! - `facts`: reading a check's context · `requests`, `resources`, `streams`, `audit`: the words of each kind of check

mod audit;
mod facts;
mod requests;
mod resources;
mod streams;

use metrics_db::{Check, CheckStatus, CheckWords};
use serde::Serialize;

use self::facts::Facts;
use super::words::{capitalised, figure, share_by_bound};

pub use self::audit::of_events;

/// A check as data and in words, as `weir runs show --json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Described {
    #[serde(flatten)]
    check: Check,
    #[serde(flatten)]
    words: CheckWords,
}

impl Described {
    /// Adds the words to a check.
    pub fn of(check: &Check) -> Self {
        let check_alone = Check {
            words: None,
            ..check.clone()
        };
        Self {
            check: check_alone,
            words: words(check),
        }
    }
}

/// The check in words. Rows that were stored before checks were data keep theirs.
pub fn words(check: &Check) -> CheckWords {
    if let Some(words) = &check.words {
        return words.clone();
    }
    let facts = Facts::of(check);
    let (label, said) = match check.id.as_str() {
        "contract" => ("Contract", requests::contract(&facts)),
        "audit" => ("Audit", audit::words(&facts)),
        "build" => ("Build", requests::build(&facts)),
        "mode" => ("Not ranked", Some(requests::smoke())),
        "errors" => ("Errors", requests::errors(&facts)),
        "dropped" => ("Dropped", requests::dropped(&facts)),
        "rate" => ("Rate reached", requests::rate(&facts)),
        "begun_late" => ("Begun late", requests::begun_late(&facts)),
        "littles_law" => ("Little's law", requests::littles_law(&facts)),
        "thresholds" => ("Thresholds", requests::thresholds(&facts)),
        "samples_csv" => ("Samples as CSV", requests::samples_csv(&facts)),
        "generator_cpu" => ("Generator CPU", resources::generator(&facts)),
        "generator_missed" => ("Each generator", resources::generator_missed(&facts)),
        "clock_skew" => ("Clocks", resources::clock_skew(&facts)),
        "ceiling" => ("Generator's ceiling", resources::ceiling(&facts)),
        "database_cpu" => ("Database CPU", resources::cpu(&facts, "the database")),
        "host_cpu" => ("Machine CPU", resources::cpu(&facts, "the machine")),
        "steal" => ("Steal", resources::time(&facts, "the hypervisor took")),
        "throttling" => (
            "Throttling",
            resources::time(&facts, "its CPU quota held back the generator for"),
        ),
        "target_sampled" => ("Target sampled", Some(resources::target_not_sampled())),
        "boundaries" => ("Boundaries", resources::boundaries(&facts)),
        "delivery" => ("Delivery", streams::delivery(&facts)),
        id if id.starts_with("criterion") => (
            facts.text("what").unwrap_or("Criterion"),
            streams::criterion(check.status, &facts),
        ),
        _ => ("", None),
    };
    let (figure, detail) = said.unwrap_or_else(|| plain(check));
    let label = match label {
        "" => capitalised(&check.id.replace('_', " ")),
        label => label.to_owned(),
    };
    CheckWords {
        label,
        figure,
        detail,
    }
}

/// Why a run takes part in no ranking, a sentence each. `reasons` names the checks that failed; a row from before has sentences
/// in their place.
pub fn reasons(checks: &[Check], reasons: &[String]) -> Vec<String> {
    let of = |reason: &String| {
        let failed = checks.iter().find(|check| check.id == *reason);
        failed.map_or_else(|| reason.clone(), |check| words(check).detail)
    };
    reasons.iter().map(of).collect()
}

/// A check that this version does not know, e.g. one of a newer version: what is data can be said all the same.
fn plain(check: &Check) -> (String, String) {
    let in_unit = |value: f64| match check.unit.as_deref() {
        Some("share") => share_by_bound(value),
        Some("count") | None => figure(value),
        Some(unit) => format!("{} {unit}", figure(value)),
    };
    let measured = check.value.map(in_unit);
    let shown = measured.clone().unwrap_or_else(|| {
        match check.status {
            CheckStatus::Ok => "passed",
            CheckStatus::Warn => "noted",
            CheckStatus::Bad => "failed",
        }
        .to_owned()
    });
    let detail = match (measured, check.bound.map(in_unit)) {
        (Some(value), Some(bound)) => format!("Measured: {value}; the bound is {bound}."),
        _ => format!("The check `{}`: {shown}.", check.id),
    };
    (shown, detail)
}

#[cfg(test)]
mod tests;
