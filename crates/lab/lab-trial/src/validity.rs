//! Whether a run may be believed: each check as data, and the verdict over all. `lab_words::checks` has the words.
//!
//! - `requests`: what the generator counted · `resources`: what was sampled · `generators`: how each of several fared

mod generators;
mod requests;
mod resources;

use lab_model::allowance::Allowance;
use metrics_db::{Check, CheckStatus, Performance, Phase, PhaseUsage};

use crate::generated::Health;

/// What is known of a run when it is judged, beside its audit.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// Phases were bounded by time; false for smoke.
    pub timed: bool,
    /// Figures over the run.
    pub performance: &'a Performance,
    /// Figures of each phase.
    pub phases: &'a [Phase],
    /// Resources per phase; empty where nothing was sampled.
    pub usage: &'a [PhaseUsage],
    /// CPUs of each part.
    pub allowance: Allowance,
    /// How late iterations began at the 99th percentile, milliseconds; none in a closed model.
    pub begun_late_p99: Option<f64>,
    /// Thresholds of the script that were crossed.
    pub crossed: &'a [String],
    /// The target is on this machine and should have been sampled.
    pub sampled: bool,
    /// A virtual user has one request in flight at most.
    pub one_in_flight: bool,
    /// How each of several generators fared; empty where one made the load, which is sampled.
    pub generators: &'a [Health],
}

/// All checks that can be made of it.
pub fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let performance = evidence.performance;
    let mut all = vec![
        requests::errors(performance),
        requests::dropped(performance),
    ];
    all.extend(requests::rate(performance));
    let late = evidence.begun_late_p99;
    all.extend(late.map(|p99_ms| requests::begun_late(p99_ms, performance)));
    if evidence.timed {
        if evidence.one_in_flight {
            all.extend(requests::littles_law(evidence.phases));
        }
        all.extend(resources::checks(
            evidence.usage,
            evidence.allowance,
            evidence.sampled,
            evidence.generators,
        ));
        all.extend(generators::checks(evidence.generators));
    } else {
        all.push(Check::warn("mode"));
    }
    all.push(requests::thresholds(evidence.crossed));
    all
}

/// The verdict: whether no bound is broken, and the id of each check that failed.
pub fn verdict(checks: &[Check]) -> (bool, Vec<String>) {
    let bad = checks.iter().filter(|c| c.status == CheckStatus::Bad);
    let reasons: Vec<String> = bad.map(|c| c.id.clone()).collect();
    (reasons.is_empty(), reasons)
}

#[cfg(test)]
mod tests;
