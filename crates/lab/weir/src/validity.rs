//! Whether a run may be believed: each check with its figure, and the verdict over all.

use lab_bench::allowance::Allowance;
use lab_model::bounds;
use metrics_db::{Check, CheckStatus, Performance, Phase, PhaseUsage, RoleUsage};

use lab_report::words::plural;

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
}

/// All checks that can be made of it.
pub fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let mut all = vec![errors(evidence.performance), dropped(evidence.performance)];
    all.extend(reached(evidence.performance));
    let late = evidence.begun_late_p99;
    all.extend(late.map(|p99_ms| begun_late(p99_ms, evidence.performance)));
    if evidence.timed {
        all.extend(littles_law(evidence.phases));
        all.extend(resources(evidence));
    } else {
        let detail =
            "A smoke run shows that the target works; it measures nothing and ranks nothing.";
        all.push(Check::warn("mode", "Not ranked", "smoke run", detail));
    }
    all.push(thresholds(evidence.crossed));
    all
}

/// The verdict: whether no bound is broken, and a sentence for each that is.
pub fn verdict(checks: &[Check]) -> (bool, Vec<String>) {
    let bad = checks.iter().filter(|c| c.status == CheckStatus::Bad);
    let reasons: Vec<String> = bad.map(|c| c.detail.clone()).collect();
    (reasons.is_empty(), reasons)
}

fn errors(performance: &Performance) -> Check {
    let rate = performance.error_rate;
    let figure = format!(
        "{} of {}",
        performance.failed_requests, performance.total_requests
    );
    let detail = format!(
        "{} of {} requests failed; the bound is {}.",
        performance.failed_requests,
        performance.total_requests,
        percent(bounds::ERRORS)
    );
    if performance.successful_requests == 0 {
        return Check::bad("errors", "Errors", figure, "No request succeeded.");
    }
    let make = if rate > bounds::ERRORS {
        Check::bad
    } else if performance.failed_requests > 0 {
        Check::warn
    } else {
        Check::ok
    };
    make("errors", "Errors", figure, detail).measured(rate, bounds::ERRORS, "share")
}

fn dropped(performance: &Performance) -> Check {
    let dropped = performance.dropped_iterations;
    let started = performance.total_requests + dropped;
    let share = if started == 0 {
        0.0
    } else {
        dropped as f64 / started as f64
    };
    let detail = format!(
        "The generator dropped {dropped} of {started} iterations; the bound is {}.",
        percent(bounds::DROPPED)
    );
    let make = if share > bounds::DROPPED {
        Check::bad
    } else {
        Check::ok
    };
    make("dropped", "Dropped", dropped.to_string(), detail).measured(
        share,
        bounds::DROPPED,
        "share",
    )
}

/// An open model's rate: where it was not reached, the figures are those of another rate.
fn reached(performance: &Performance) -> Option<Check> {
    let intended = performance.intended_per_sec?;
    let share = performance.throughput_per_sec / intended;
    let figure = format!("{:.1} of {intended}/s", performance.throughput_per_sec);
    let detail = format!(
        "The rate reached was {} of the {intended}/s intended; the bound is {}.",
        percent(share),
        percent(bounds::RATE_REACHED)
    );
    let make = if share < bounds::RATE_REACHED {
        Check::bad
    } else {
        Check::ok
    };
    Some(make("rate", "Rate reached", figure, detail).measured(
        share,
        bounds::RATE_REACHED,
        "share",
    ))
}

/// What a latency that counts from sending leaves out. k6 counts the iterations that it begins, not those that it drops:
/// each of these makes all later ones seem late by the time between two.
fn begun_late(p99_ms: f64, performance: &Performance) -> Check {
    let dropped = performance.dropped_iterations;
    let seeming_ms = performance
        .intended_per_sec
        .map_or(0.0, |rate| dropped as f64 * 1000.0 / rate);
    let late_ms = (p99_ms - seeming_ms).max(0.0);
    let figure = format!("99 % within {late_ms:.1} ms");
    let mut detail = format!(
        "99 % of the iterations began within {late_ms:.1} ms of the moment at which they were due, and latencies count \
         from the moment of sending; the bound is {} ms.",
        bounds::BEGUN_LATE_MS
    );
    if dropped > 0 {
        detail += &format!(
            " The script saw {p99_ms:.1} ms, of which the {dropped} dropped iterations are {seeming_ms:.1} ms: it cannot \
             count them."
        );
    }
    let make = if late_ms > bounds::BEGUN_LATE_MS {
        Check::warn
    } else {
        Check::ok
    };
    make("begun_late", "Begun late", figure, detail).measured(late_ms, bounds::BEGUN_LATE_MS, "ms")
}

/// Little's law: the requests in flight are the rate times the mean latency, and no VU has more than one. Counted here as
/// time: what the requests of a phase took together, and what its VUs had, with what k6 grants a request that a phase's end
/// has caught. Figures that break it do not belong together, or are in other units than they say.
fn littles_law(phases: &[Phase]) -> Option<Check> {
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
    let detail = format!(
        "In phase {phase} the requests took {} of the time that the VUs had (rate times mean latency, over VUs); more than \
         all of it would contradict itself.",
        percent(share)
    );
    let make = if share > bounds::TIME_IN_REQUESTS {
        Check::bad
    } else {
        Check::ok
    };
    let figure = format!("{} of the VUs' time", percent(share));
    Some(
        make("littles_law", "Little's law", figure, detail).measured(
            share,
            bounds::TIME_IN_REQUESTS,
            "share",
        ),
    )
}

fn thresholds(crossed: &[String]) -> Check {
    if crossed.is_empty() {
        return Check::ok(
            "thresholds",
            "Thresholds",
            "all held",
            "All thresholds of the k6 script held.",
        );
    }
    let detail = format!("Crossed: {}.", crossed.join("; "));
    Check::warn(
        "thresholds",
        "Thresholds",
        format!("{} crossed", crossed.len()),
        detail,
    )
    .measured(crossed.len() as f64, 0.0, "count")
}

fn resources(evidence: &Evidence<'_>) -> Vec<Check> {
    if evidence
        .usage
        .iter()
        .all(|phase| phase.generator.cpu_seconds.is_none())
    {
        let detail =
            "No resource was sampled, so it is not known whether the generator was the limit.";
        return vec![Check::bad(
            "generator_cpu",
            "Generator CPU",
            "not sampled",
            detail,
        )];
    }
    let usage = evidence.usage;
    let allowance = evidence.allowance;
    let mut all = vec![
        cpu(
            "generator_cpu",
            "Generator CPU",
            "the generator",
            usage,
            |p| &p.generator,
            allowance.generator,
            bounds::GENERATOR_CPU,
        ),
        cpu(
            "database_cpu",
            "Database CPU",
            "the database",
            usage,
            |p| &p.database,
            allowance.database,
            bounds::DATABASE_CPU,
        ),
        cpu(
            "host_cpu",
            "Machine CPU",
            "the machine",
            usage,
            |p| &p.host,
            allowance.host,
            bounds::HOST_CPU,
        ),
        share_of_time(
            "steal",
            "Steal",
            usage,
            |p| p.host.steal_seconds,
            allowance.host,
            bounds::STEAL,
            "the hypervisor took",
        ),
        share_of_time(
            "throttling",
            "Throttling",
            usage,
            |p| p.generator.throttled_seconds,
            1.0,
            bounds::THROTTLED,
            "its CPU quota held back the generator for",
        ),
    ];
    if evidence.sampled && usage.iter().any(|p| p.target.cpu_seconds.is_none()) {
        let detail = "The target was not sampled in every phase, so its cost is not known.";
        all.push(Check::warn(
            "target_sampled",
            "Target sampled",
            "no",
            detail,
        ));
    }
    all.push(boundaries(usage));
    all
}

/// The busiest phase against the bound.
fn cpu(
    id: &str,
    label: &str,
    what: &str,
    usage: &[PhaseUsage],
    role: fn(&PhaseUsage) -> &RoleUsage,
    cpus: f64,
    bound: f64,
) -> Check {
    let busiest = usage
        .iter()
        .filter_map(|p| Some((p.phase_number, role(p).cpu_avg_percent? / 100.0 / cpus)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((phase, share)) = busiest else {
        return Check::warn(
            id,
            label,
            "not sampled",
            format!("The CPU of {what} was not sampled."),
        );
    };
    let over = usage
        .iter()
        .filter(|p| {
            role(p)
                .cpu_avg_percent
                .is_some_and(|c| c / 100.0 / cpus > bound)
        })
        .count();
    let figure = format!("{} of {}", percent(share), cpus_text(cpus));
    if over == 0 {
        let detail = format!(
            "In its busiest phase ({phase}) {what} used {} of {}; the bound is {}.",
            percent(share),
            cpus_text(cpus),
            percent(bound)
        );
        return Check::ok(id, label, figure, detail).measured(share, bound, "share");
    }
    let detail = format!(
        "{} was the limit in {over} of {}: it used up to {} of {} (phase {phase}), the bound is {}.",
        capitalised(what),
        plural(usage.len(), "phase"),
        percent(share),
        cpus_text(cpus),
        percent(bound)
    );
    Check::bad(id, label, figure, detail).measured(share, bound, "share")
}

fn share_of_time(
    id: &str,
    label: &str,
    usage: &[PhaseUsage],
    seconds: fn(&PhaseUsage) -> Option<f64>,
    cpus: f64,
    bound: f64,
    what: &str,
) -> Check {
    let worst = usage
        .iter()
        .filter(|p| p.duration_seconds > 0.0)
        .filter_map(|p| Some((p.phase_number, seconds(p)? / p.duration_seconds / cpus)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((phase, share)) = worst else {
        return Check::ok(id, label, "none", "No such limit applies here.");
    };
    let detail = format!(
        "In phase {phase} {what} {} of the time; the bound is {}.",
        percent(share),
        percent(bound)
    );
    let make = if share > bound { Check::bad } else { Check::ok };
    make(id, label, percent(share), detail).measured(share, bound, "share")
}

fn boundaries(usage: &[PhaseUsage]) -> Check {
    let inexact = usage
        .iter()
        .filter(|p| p.target.cpu_seconds.is_some() && !p.target.exact)
        .count();
    if inexact == 0 {
        let detail = "The CPU counters were read within 50 ms of every phase boundary.";
        return Check::ok("boundaries", "Boundaries", "exact", detail);
    }
    let detail = format!(
        "In {inexact} of {} a CPU counter was interpolated at a boundary.",
        plural(usage.len(), "phase")
    );
    Check::warn(
        "boundaries",
        "Boundaries",
        format!("{inexact} interpolated"),
        detail,
    )
    .measured(inexact as f64, 0.0, "count")
}

/// One digit behind the point where it is not zero: beside its bound, a figure must not look like it.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    match text.trim_end_matches(".0") {
        "0" if share > 0.0 => "under 0.1 %".to_owned(),
        text => format!("{text} %"),
    }
}

fn cpus_text(cpus: f64) -> String {
    if (cpus - 1.0).abs() < f64::EPSILON {
        "1 core".into()
    } else {
        format!("{cpus} cores")
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests;
