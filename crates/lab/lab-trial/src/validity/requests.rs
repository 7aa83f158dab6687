//! Checks of what the generator counted.

use lab_model::bounds;
use metrics_db::{Check, CheckStatus, Performance, Phase};

pub(super) fn errors(performance: &Performance) -> Check {
    let rate = performance.error_rate;
    let status = if performance.successful_requests == 0 || rate > bounds::ERRORS {
        CheckStatus::Bad
    } else if performance.failed_requests > 0 {
        CheckStatus::Warn
    } else {
        CheckStatus::Ok
    };
    Check::new("errors", status)
        .measured(rate, bounds::ERRORS, "share")
        .with("failed", performance.failed_requests)
        .with("succeeded", performance.successful_requests)
        .with("total", performance.total_requests)
}

pub(super) fn dropped(performance: &Performance) -> Check {
    let dropped = performance.dropped_iterations;
    let due = performance.total_requests + dropped;
    let share = if due == 0 {
        0.0
    } else {
        dropped as f64 / due as f64
    };
    Check::new("dropped", bad_if(share > bounds::DROPPED))
        .measured(share, bounds::DROPPED, "share")
        .with("dropped", dropped)
        .with("due", due)
}

/// An open model's rate: where it was not reached, the figures are those of another rate.
pub(super) fn rate(performance: &Performance) -> Option<Check> {
    let intended = performance.intended_per_sec?;
    let reached = performance.throughput_per_sec;
    let share = reached / intended;
    Some(
        Check::new("rate", bad_if(share < bounds::RATE_REACHED))
            .measured(share, bounds::RATE_REACHED, "share")
            .with("reached_per_sec", reached)
            .with("intended_per_sec", intended),
    )
}

/// What a latency that counts from sending leaves out. k6 counts the iterations that it begins, not those that it drops:
/// each of these makes all later ones seem late by the time between two.
pub(super) fn begun_late(seen_ms: f64, performance: &Performance) -> Check {
    let dropped = performance.dropped_iterations;
    let of_dropped_ms = performance
        .intended_per_sec
        .map_or(0.0, |rate| dropped as f64 * 1000.0 / rate);
    let late_ms = (seen_ms - of_dropped_ms).max(0.0);
    let status = if late_ms > bounds::BEGUN_LATE_MS {
        CheckStatus::Warn
    } else {
        CheckStatus::Ok
    };
    Check::new("begun_late", status)
        .measured(late_ms, bounds::BEGUN_LATE_MS, "ms")
        .with("seen_ms", seen_ms)
        .with("of_dropped_ms", of_dropped_ms)
        .with("dropped", dropped)
}

/// Little's law: the requests in flight are the rate times the mean latency, and no VU has more than one. Counted here as
/// time: what the requests of a phase took together, and what its VUs had, with what k6 grants a request that a phase's end
/// has caught. Figures that break it do not belong together, or are in other units than they say.
pub(super) fn littles_law(phases: &[Phase]) -> Option<Check> {
    /// `gracefulStopSeconds` in the modes of k6.
    const GRACE_SECONDS: f64 = 5.0;
    let (share, phase) = phases
        .iter()
        .filter_map(|phase| {
            let latency = phase.latency;
            let taken = phase.successful_requests as f64 * latency.avg? / 1000.0;
            let caught = (latency.max? / 1000.0).min(GRACE_SECONDS);
            let had = f64::from(phase.target_vus) * (phase.duration_seconds + caught);
            (had > 0.0).then_some((taken / had, phase.phase_number))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(
        Check::new("littles_law", bad_if(share > bounds::TIME_IN_REQUESTS))
            .measured(share, bounds::TIME_IN_REQUESTS, "share")
            .with("phase", phase),
    )
}

pub(super) fn thresholds(crossed: &[String]) -> Check {
    let status = if crossed.is_empty() {
        CheckStatus::Ok
    } else {
        CheckStatus::Warn
    };
    Check::new("thresholds", status)
        .measured(crossed.len() as f64, 0.0, "count")
        .with("crossed", crossed)
}

fn bad_if(broken: bool) -> CheckStatus {
    if broken {
        CheckStatus::Bad
    } else {
        CheckStatus::Ok
    }
}
