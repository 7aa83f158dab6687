//! What the generator `benchmark` leaves at the end of a run of steps (`--json`), as rows of the metrics database.
//!
//! - this file: loads of requests · `streams`: those of subscribers · `figures`: percentiles of both
//! - `several`: what several generators have left of one load

mod figures;
mod several;
mod streams;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab_contract::audit::{Claims, Counts};
use metrics_db::{Latency, Performance, Phase};
use serde::Deserialize;
use time::OffsetDateTime;

use self::figures::{Percentiles, of_run, share};
pub use self::several::{Part, read_all};
use crate::generated::Generated;

/// The file, as far as the lab reads it; docs/reference/benchmark.md has all.
#[derive(Clone, Debug, Deserialize)]
struct Steps {
    schema: String,
    levels: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    threads: u32,
    concurrency: i32,
    intended_per_second: Option<f64>,
    measured_seconds: f64,
    #[serde(with = "time::serde::rfc3339")]
    measured_at: OffsetDateTime,
    interrupted: bool,
    requests: Requests,
    events: Events,
    latency_ms: Option<Percentiles>,
    bytes: Bytes,
    generator: Cpu,
    histogram_v2: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    total: i64,
    successful: i64,
    failed: i64,
    per_second: f64,
    error_rate: f64,
    missed: i64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    sent: i64,
    acknowledged: i64,
    failed: i64,
    unanswered: i64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bytes {
    sent: i64,
    received: i64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    cpu_seconds: f64,
    cpu_share: f64,
}

/// Reads the result of a run whose phases have these names.
///
/// # Errors
/// The file cannot be read, is no such result, or has another number of steps.
pub fn read(path: &Path, phases: &[String]) -> Result<Generated> {
    let text = text_of(path)?;
    parse(&text, phases).with_context(|| is_no_result(path))
}

fn text_of(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn is_no_result(path: &Path) -> String {
    format!("{} is no result of benchmark's steps", path.display())
}

fn parse(text: &str, names: &[String]) -> Result<Generated> {
    let Steps { schema, levels } = serde_json::from_str(text)?;
    ensure!(
        levels.len() == names.len(),
        "it has {} steps, and the mode {} phases",
        levels.len(),
        names.len()
    );
    if schema == streams::SCHEMA {
        let levels = levels.into_iter().map(serde_json::from_value);
        return streams::generated(&levels.collect::<Result<Vec<_>, _>>()?, names);
    }
    of_requests(&steps(levels)?, names)
}

fn steps(levels: Vec<serde_json::Value>) -> Result<Vec<Step>> {
    let steps = levels.into_iter().map(serde_json::from_value);
    Ok(steps.collect::<Result<_, _>>()?)
}

fn of_requests(levels: &[Step], names: &[String]) -> Result<Generated> {
    ensure!(
        levels.iter().all(|step| !step.interrupted),
        "the load was interrupted"
    );
    let phases: Vec<Phase> = levels
        .iter()
        .zip(names)
        .zip(1..)
        .map(|((step, name), number)| step.phase(number, name))
        .collect();
    let sum = |of: fn(&Step) -> i64| levels.iter().map(of).sum::<i64>();
    let seconds: f64 = levels.iter().map(|step| step.measured_seconds).sum();
    let (total, successful) = (sum(|s| s.requests.total), sum(|s| s.requests.successful));
    let failed = sum(|s| s.requests.failed);
    let (latency, histogram) = of_run(levels.iter().map(|step| step.histogram_v2.as_str()))?;
    Ok(Generated {
        performance: Performance {
            total_requests: total,
            successful_requests: successful,
            failed_requests: failed,
            dropped_iterations: sum(|s| s.requests.missed),
            intended_per_sec: levels[0].intended_per_second,
            throughput_per_sec: share(successful as f64, seconds),
            error_rate: share(failed as f64, total as f64),
            latency,
            bytes_sent: Some(sum(|s| s.bytes.sent)),
            bytes_received: Some(sum(|s| s.bytes.received)),
            histogram,
        },
        phases,
        claims: Claims {
            counts: Counts {
                sent: sum(|s| s.events.sent),
                acknowledged: sum(|s| s.events.acknowledged),
                failed: sum(|s| s.events.failed + s.events.unanswered),
            },
            streams: None,
        },
        begun_late_p99: None,
        crossed: Vec::new(),
        measured_seconds: seconds,
        events_per_request: 1.0,
        one_in_flight: true,
        stats: None,
        criteria: Vec::new(),
        generators: Vec::new(),
    })
}

impl Step {
    fn phase(&self, number: i32, name: &str) -> Phase {
        Phase {
            phase_number: number,
            phase_name: name.to_owned(),
            target_vus: self.concurrency,
            started_at: Some(self.measured_at),
            duration_seconds: self.measured_seconds,
            total_requests: self.requests.total,
            successful_requests: self.requests.successful,
            failed_requests: self.requests.failed,
            dropped_iterations: self.requests.missed,
            throughput_per_sec: self.requests.per_second,
            error_rate: self.requests.error_rate,
            latency: self.latency_ms.map(Latency::from).unwrap_or_default(),
            bytes_sent: Some(self.bytes.sent),
            bytes_received: Some(self.bytes.received),
            generator_cpu_seconds: Some(self.generator.cpu_seconds),
            ..Phase::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // `benchmark --steps 2x1s,4x1s --pause 500ms --json` on producer-rest.
    const STEPS: &str = include_str!("../tests/data/benchmark-steps.json");

    #[test]
    fn steps_are_phases_and_add_up_to_the_run() {
        let names = ["a".to_owned(), "b".to_owned()];
        let generated = parse(STEPS, &names).unwrap();
        let (run, phases) = (&generated.performance, &generated.phases);
        let sum = |of: fn(&Phase) -> i64| phases.iter().map(of).sum::<i64>();
        assert!(run.successful_requests > 0);
        assert_eq!(sum(|p| p.successful_requests), run.successful_requests);
        assert_eq!(sum(|p| p.total_requests), run.total_requests);
        assert_eq!((phases[0].target_vus, phases[1].target_vus), (2, 4));
        assert_eq!(phases[1].phase_name, "b");
        assert!((generated.measured_seconds - 2.0).abs() < 0.1);
        // The warm-up and the pause are audited, and in no figure.
        let counts = generated.claims.counts;
        assert!(counts.acknowledged > run.successful_requests);
        assert!(run.latency.p99 >= phases[0].latency.p50 && run.histogram.is_some());
        assert!(parse(STEPS, &names[..1]).is_err(), "a step too many");
        assert!(parse("{}", &names).is_err());
    }
}
