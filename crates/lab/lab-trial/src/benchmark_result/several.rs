//! What several generators have left of one load: added up where they counted, merged where they have histograms. Nothing is
//! averaged: the percentile of all requests is no mean of the percentiles of each part.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab_model::bounds;
use lab_model::generators::Skew;

use super::figures::{encoded_text, merged, share};
use super::{Bytes, Cpu, Events, Requests, Step, Steps, is_no_result, of_requests, steps};
use crate::generated::{Generated, Health};

/// One of the generators.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where its result is.
    pub result: &'a Path,
    /// How far its clock is from weir's.
    pub skew: Skew,
    /// By how much the two may differ.
    pub max_skew_ms: f64,
}

/// Reads the results of a run whose phases have these names, as one.
///
/// # Errors
/// Those of [`super::read`], for the first of them that has one.
pub fn read_all(parts: &[Part<'_>], phases: &[String]) -> Result<Generated> {
    let mut each = Vec::new();
    for part in parts {
        let text = super::text_of(part.result)?;
        let steps = parse(&text, phases.len()).with_context(|| is_no_result(part.result))?;
        each.push((*part, steps));
    }
    let together: Vec<Step> = (0..phases.len())
        .map(|number| together(each.iter().map(|(_, steps)| &steps[number])))
        .collect::<Result<_>>()?;
    let mut generated = of_requests(&together, phases)?;
    generated.generators = each
        .iter()
        .map(|(part, steps)| health(*part, steps))
        .collect();
    Ok(generated)
}

fn parse(text: &str, phases: usize) -> Result<Vec<Step>> {
    let Steps { levels, .. } = serde_json::from_str(text)?;
    ensure!(
        levels.len() == phases && phases > 0,
        "it has {} steps, and the mode {phases} phases",
        levels.len()
    );
    steps(levels)
}

/// One step of all generators.
fn together<'a>(parts: impl Iterator<Item = &'a Step> + Clone) -> Result<Step> {
    let mut all = parts.clone();
    let first = all.next().context("no generator")?;
    let histograms = merged(parts.clone().map(|step| step.histogram_v2.as_str()))?;
    let mut sum = first.clone();
    for step in all {
        sum.threads += step.threads;
        sum.concurrency += step.concurrency;
        sum.intended_per_second = sum
            .intended_per_second
            .zip(step.intended_per_second)
            .map(|(one, other)| one + other);
        sum.measured_seconds = sum.measured_seconds.max(step.measured_seconds);
        sum.measured_at = sum.measured_at.min(step.measured_at);
        sum.interrupted |= step.interrupted;
        let (one, other) = (sum.requests, step.requests);
        sum.requests = Requests {
            total: one.total + other.total,
            successful: one.successful + other.successful,
            failed: one.failed + other.failed,
            per_second: one.per_second + other.per_second,
            error_rate: 0.0,
            missed: one.missed + other.missed,
        };
        let (one, other) = (sum.events, step.events);
        sum.events = Events {
            sent: one.sent + other.sent,
            acknowledged: one.acknowledged + other.acknowledged,
            failed: one.failed + other.failed,
            unanswered: one.unanswered + other.unanswered,
        };
        sum.bytes = Bytes {
            sent: sum.bytes.sent + step.bytes.sent,
            received: sum.bytes.received + step.bytes.received,
        };
        sum.generator = Cpu {
            cpu_seconds: sum.generator.cpu_seconds + step.generator.cpu_seconds,
            cpu_share: sum.generator.cpu_share.max(step.generator.cpu_share),
        };
    }
    sum.requests.error_rate = share(sum.requests.failed as f64, sum.requests.total as f64);
    sum.latency_ms = histograms.as_ref().map(|(percentiles, _)| *percentiles);
    if let Some((_, encoded)) = histograms {
        sum.histogram_v2 = encoded_text(&encoded);
    }
    Ok(sum)
}

fn health(part: Part<'_>, steps: &[Step]) -> Health {
    let busiest = steps
        .iter()
        .zip(1..)
        .map(|(step, phase)| (step.generator.cpu_share, phase))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let (cpu_share, phase) = busiest.unwrap_or((0.0, 1));
    let over = |step: &&Step| step.generator.cpu_share > bounds::GENERATOR_CPU;
    let sum = |of: fn(&Step) -> i64| steps.iter().map(of).sum::<i64>();
    let seconds: f64 = steps.iter().map(|step| step.measured_seconds).sum();
    let missed = sum(|step| step.requests.missed);
    Health {
        name: part.name.to_owned(),
        cpu_share,
        phase,
        over: steps.iter().filter(over).count(),
        threads: steps.iter().map(|step| step.threads).max().unwrap_or(1),
        due: sum(|step| step.requests.total) + missed,
        missed,
        per_second: share(sum(|step| step.requests.successful) as f64, seconds),
        offset_ms: part.skew.offset_us as f64 / 1000.0,
        within_ms: part.skew.within_us as f64 / 1000.0,
        max_skew_ms: part.max_skew_ms,
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::{Serializer as _, V2Serializer};
    use lab_verdict::random::SplitMix64;

    use super::*;

    // `benchmark --steps 2x1s,4x1s --pause 500ms --json` on producer-rest.
    const STEPS: &str = include_str!("../../tests/data/benchmark-steps.json");

    fn a_step() -> Step {
        parse(STEPS, 2).unwrap().remove(0)
    }

    /// A step whose requests took so many microseconds each.
    fn step_of(micros: &[u64]) -> Step {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).unwrap();
        for value in micros {
            histogram.record(*value).unwrap();
        }
        let mut encoded = Vec::new();
        V2Serializer::new()
            .serialize(&histogram, &mut encoded)
            .unwrap();
        let count = i64::try_from(micros.len()).unwrap();
        let mut step = a_step();
        step.requests.total = count;
        step.requests.successful = count;
        step.requests.failed = 0;
        step.histogram_v2 = STANDARD.encode(encoded);
        step
    }

    #[test]
    fn the_percentile_of_all_is_that_of_all_values_and_no_mean() {
        let mut random = SplitMix64::of_stream(11, 0);
        for _ in 0..50 {
            let parts: Vec<Vec<u64>> = (0..1 + random.below(4))
                .map(|part| {
                    let scale = 10_u64.pow(2 + u32::try_from(part).unwrap());
                    (0..1 + random.below(500))
                        .map(|_| scale + random.below(900) as u64 * scale / 100)
                        .collect()
                })
                .collect();
            let steps: Vec<Step> = parts.iter().map(|values| step_of(values)).collect();
            let all = together(steps.iter()).unwrap();
            let mut values: Vec<u64> = parts.concat();
            values.sort_unstable();
            let place = (values.len() as f64 * 0.99).ceil() as usize - 1;
            let exact = values[place] as f64 / 1000.0;
            let found = all.latency_ms.unwrap().p99;
            // Three significant digits.
            assert!((found / exact - 1.0).abs() < 0.002, "{found} {exact}");
            assert_eq!(all.requests.total, i64::try_from(values.len()).unwrap());
        }
    }

    #[test]
    fn counts_are_added_and_each_keeps_its_own_health() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        std::fs::write(&file, STEPS).unwrap();
        let part = |name| Part {
            name,
            result: &file,
            skew: Skew {
                offset_us: 1_500,
                within_us: 200,
            },
            max_skew_ms: 10.0,
        };
        let names = ["a".to_owned(), "b".to_owned()];
        let one = super::super::parse(STEPS, &names).unwrap();
        let two = read_all(&[part("near"), part("far")], &names).unwrap();
        let (one_run, two_run) = (&one.performance, &two.performance);
        assert_eq!(two_run.successful_requests, 2 * one_run.successful_requests);
        assert_eq!(
            two.claims.counts.acknowledged,
            2 * one.claims.counts.acknowledged
        );
        assert!((two_run.throughput_per_sec / one_run.throughput_per_sec - 2.0).abs() < 1e-9);
        // Of the same requests twice the percentiles are the same.
        assert_eq!(two_run.latency.p99, one_run.latency.p99);
        assert_eq!(two.phases[1].target_vus, 2 * one.phases[1].target_vus);
        let names: Vec<_> = two.generators.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["near", "far"]);
        let near = &two.generators[0];
        assert_eq!((near.offset_ms, near.within_ms), (1.5, 0.2));
        assert!(near.cpu_share > 0.0 && near.due > 0);
        let sum: f64 = two.generators.iter().map(|one| one.per_second).sum();
        assert!((sum - two_run.throughput_per_sec).abs() < 1e-6);
    }
}
