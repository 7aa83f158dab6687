//! What k6 leaves at the end of a run (`handleSummary`), as rows of the metrics database.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab_contract::audit::{Claims, Counts, StreamClaims};
use lab_model::driver::latency_metric;
use lab_model::targets::Protocol;
use metrics_db::{Latency, Performance, Phase};
use serde::Deserialize;
use time::OffsetDateTime;

use crate::generated::Generated;

/// The file, as far as the lab reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    /// The lab's own part.
    pub weir: Header,
    metrics: BTreeMap<String, Metric>,
    state: State,
}

/// What the run was.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Name of the mode.
    pub mode: String,
    /// Name of the payload.
    pub payload: String,
    /// The run label that every event carries.
    pub run_id: String,
    /// Of the generator; text where it does not fit a double.
    #[serde(default)]
    pub seed: serde_json::Value,
    /// `PHASE_SCALE`.
    pub phase_scale: f64,
    /// When the first phase began, milliseconds since 1970.
    #[serde(default)]
    pub started_at_ms: Option<f64>,
    /// How the target was spoken to.
    pub protocol: Protocol,
    /// Name of the target; `unnamed` where the caller gave none.
    #[serde(default)]
    pub target: String,
    /// Events of each iteration, where that is not one.
    #[serde(default)]
    pub events_per_iteration: Option<i64>,
    /// Arrivals a second that were intended; none in a closed model.
    #[serde(default)]
    pub rate: Option<f64>,
    /// In order.
    pub phases: Vec<PhaseHeader>,
}

/// One phase as it was planned.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseHeader {
    /// From 1.
    pub number: i32,
    /// E.g. `baseline`.
    pub name: String,
    /// Virtual users.
    pub vus: i32,
    /// From the start of the first phase.
    pub start_seconds: f64,
    /// Its length; of a phase that iterations ended, the length of the run.
    pub duration_seconds: f64,
    /// Tag of its metrics.
    pub scenario: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Metric {
    #[serde(default)]
    values: BTreeMap<String, Option<f64>>,
    #[serde(default)]
    thresholds: BTreeMap<String, Threshold>,
}

#[derive(Clone, Debug, Deserialize)]
struct Threshold {
    ok: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    test_run_duration_ms: f64,
}

impl Summary {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text)
            .with_context(|| format!("{} is no summary of the lab's k6 scripts", path.display()))
    }

    /// Reads its text.
    pub fn parse(text: &str) -> Result<Self> {
        let summary: Self = serde_json::from_str(text)?;
        ensure!(!summary.weir.phases.is_empty(), "weir.phases is empty");
        Ok(summary)
    }

    /// What the run has left, whatever its generator.
    pub fn generated(&self) -> Generated {
        Generated {
            performance: self.performance(),
            phases: self.phases(),
            claims: self.claims(),
            begun_late_p99: self.begun_late_p99(),
            crossed: self.crossed_thresholds(),
            measured_seconds: self.measured_seconds(),
            events_per_request: self.weir.events_per_iteration.unwrap_or(1) as f64,
            one_in_flight: true,
            stats: None,
            generators: Vec::new(),
            criteria: Vec::new(),
        }
    }

    /// Counts over the whole run.
    pub fn counts(&self) -> Counts {
        self.counts_of("")
    }

    /// What the audit compares with the target's side.
    pub fn claims(&self) -> Claims {
        let streams = self
            .weir
            .events_per_iteration
            .map(|per_stream| StreamClaims {
                per_stream,
                received: self.counter("stream_events_received"),
                missed: self.counter("stream_events_missed"),
                repeated: self.counter("stream_events_repeated"),
                out_of_order: self.counter("stream_events_out_of_order"),
            });
        Claims {
            counts: self.counts(),
            streams,
        }
    }

    /// How late iterations of an open model began, milliseconds at the 99th percentile; none in a closed model.
    pub fn begun_late_p99(&self) -> Option<f64> {
        self.weir.rate?;
        self.value("iterations_begun_late", "p(99)")
    }

    /// A counter of the script over the whole run; 0 where nothing was counted.
    pub fn counter(&self, name: &str) -> i64 {
        self.value(name, "count").unwrap_or(0.0) as i64
    }

    fn counts_of(&self, tag: &str) -> Counts {
        let count = |name: &str| self.value(&format!("{name}{tag}"), "count").unwrap_or(0.0) as i64;
        Counts {
            sent: count("events_sent"),
            acknowledged: count("events_acknowledged"),
            failed: count("events_failed_total"),
        }
    }

    /// Length of the measured phases, seconds.
    pub fn measured_seconds(&self) -> f64 {
        let end = self
            .weir
            .phases
            .iter()
            .map(|p| p.start_seconds + p.duration_seconds)
            .fold(0.0, f64::max);
        if end > 0.0 {
            end
        } else {
            self.state.test_run_duration_ms / 1000.0
        }
    }

    /// Figures over the whole run.
    pub fn performance(&self) -> Performance {
        let counts = self.counts();
        let seconds = self.measured_seconds();
        Performance {
            total_requests: counts.sent,
            successful_requests: counts.acknowledged,
            failed_requests: counts.failed,
            dropped_iterations: self.value("dropped_iterations", "count").unwrap_or(0.0) as i64,
            intended_per_sec: self.weir.rate,
            throughput_per_sec: rate(counts.acknowledged, seconds),
            error_rate: counts.error_rate(),
            latency: self.overall_latency(),
            bytes_sent: self.value("data_sent", "count").map(|n| n as i64),
            bytes_received: self.value("data_received", "count").map(|n| n as i64),
            histogram: None,
        }
    }

    /// Figures of each phase, without what the sampled resources add.
    pub fn phases(&self) -> Vec<Phase> {
        self.weir
            .phases
            .iter()
            .map(|header| self.phase(header))
            .collect()
    }

    fn phase(&self, header: &PhaseHeader) -> Phase {
        let tag = format!("{{scenario:{}}}", header.scenario);
        let counts = self.counts_of(&tag);
        let bytes = |name: &str| {
            self.value(&format!("{name}{tag}"), "count")
                .map(|n| n as i64)
        };
        Phase {
            phase_number: header.number,
            phase_name: header.name.clone(),
            target_vus: header.vus,
            started_at: self.started_at(header.start_seconds),
            duration_seconds: header.duration_seconds,
            total_requests: counts.sent,
            successful_requests: counts.acknowledged,
            failed_requests: counts.failed,
            dropped_iterations: bytes("dropped_iterations").unwrap_or(0),
            throughput_per_sec: rate(counts.acknowledged, header.duration_seconds),
            error_rate: counts.error_rate(),
            latency: self.latency(&latency_metric(self.weir.protocol, &header.scenario)),
            bytes_sent: bytes("data_sent"),
            bytes_received: bytes("data_received"),
            ..Phase::default()
        }
    }

    /// Start of the measurement plus `seconds`, where the script has left its start.
    pub fn started_at(&self, seconds: f64) -> Option<OffsetDateTime> {
        let ms = self.weir.started_at_ms? + seconds * 1000.0;
        OffsetDateTime::from_unix_timestamp_nanos((ms * 1e6) as i128).ok()
    }

    /// Latency of successes over all phases. k6 keeps percentiles per phase and over all answers; where every
    /// answer was a success the latter are what is wanted, and a single phase is the whole run.
    fn overall_latency(&self) -> Latency {
        if let [only] = &self.weir.phases[..] {
            return self.latency(&latency_metric(self.weir.protocol, &only.scenario));
        }
        let (of_successes, of_all) = match self.weir.protocol {
            Protocol::Rest => (
                "http_req_duration{expected_response:true}",
                "http_req_duration",
            ),
            Protocol::Grpc => ("grpc_req_duration{status:0}", "grpc_req_duration"),
        };
        if self.metrics.contains_key(of_successes) {
            return self.latency(of_successes);
        }
        if self.counts().failed == 0 {
            self.latency(of_all)
        } else {
            Latency::default()
        }
    }

    fn latency(&self, metric: &str) -> Latency {
        // Without a sample k6 writes zeros, which would read as an excellent latency.
        if self.value(metric, "count").unwrap_or(0.0) == 0.0 {
            return Latency::default();
        }
        let value = |key: &str| self.value(metric, key);
        Latency {
            avg: value("avg"),
            min: value("min"),
            max: value("max"),
            p50: value("p(50)"),
            p90: value("p(90)"),
            p95: value("p(95)"),
            p99: value("p(99)"),
            p999: value("p(99.9)"),
        }
    }

    /// Thresholds of the script that were crossed, e.g. `http_req_duration: p(95)<2000`.
    pub fn crossed_thresholds(&self) -> Vec<String> {
        self.metrics
            .iter()
            .flat_map(|(name, metric)| {
                let crossed = metric
                    .thresholds
                    .iter()
                    .filter(|(_, threshold)| !threshold.ok);
                crossed.map(move |(rule, _)| format!("{name}: {rule}"))
            })
            .collect()
    }

    fn value(&self, metric: &str, key: &str) -> Option<f64> {
        self.metrics.get(metric)?.values.get(key).copied().flatten()
    }
}

fn rate(count: i64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Summaries of real runs, PHASE_SCALE=0.03.
    const REST: &str = include_str!("../tests/data/k6-rest-full.json");
    const GRPC: &str = include_str!("../tests/data/k6-grpc-full.json");
    const SMOKE: &str = include_str!("../tests/data/k6-rest-smoke.json");

    #[test]
    fn phases_add_up_to_the_run() {
        for (text, protocol) in [(REST, Protocol::Rest), (GRPC, Protocol::Grpc)] {
            let summary = Summary::parse(text).unwrap();
            assert_eq!(summary.weir.protocol, protocol);
            let (run, phases) = (summary.performance(), summary.phases());
            assert_eq!(phases.len(), 4);
            let sum = |of: fn(&Phase) -> i64| phases.iter().map(of).sum::<i64>();
            assert_eq!(sum(|p| p.successful_requests), run.successful_requests);
            assert_eq!(sum(|p| p.total_requests), run.total_requests);
            assert!((summary.measured_seconds() - 19.8).abs() < 1e-9);
            let rate = run.successful_requests as f64 / 19.8;
            assert!((run.throughput_per_sec - rate).abs() < 1e-9);
        }
    }

    #[test]
    fn latencies_and_bytes_are_those_of_the_phase() {
        let phases = Summary::parse(REST).unwrap().phases();
        let first = &phases[0];
        assert_eq!(
            (first.phase_name.as_str(), first.target_vus),
            ("baseline", 10)
        );
        assert_eq!(first.successful_requests, 343);
        assert_eq!(first.latency.p50, Some(2.631002));
        assert_eq!(first.latency.p99, Some(24.893073099999953));
        assert!(
            phases
                .iter()
                .all(|p| p.bytes_sent > Some(0) && p.bytes_received > Some(0))
        );
        let started: Vec<_> = phases.iter().map(|p| p.started_at.unwrap()).collect();
        assert_eq!((started[1] - started[0]).whole_milliseconds(), 3600);
    }

    #[test]
    fn a_smoke_run_has_one_phase_as_long_as_the_run() {
        let summary = Summary::parse(SMOKE).unwrap();
        assert_eq!(
            summary.counts(),
            Counts {
                sent: 5,
                acknowledged: 5,
                failed: 0
            }
        );
        assert_eq!(summary.counts().in_doubt(), 0);
        assert!(summary.measured_seconds() > 0.0);
        assert!(summary.performance().latency.p95.is_some());
        assert!(summary.crossed_thresholds().is_empty());
    }

    #[test]
    fn no_sample_is_no_latency() {
        let empty = SMOKE.replace("\"events_acknowledged\"", "\"gone\"");
        assert_eq!(Summary::parse(&empty).unwrap().counts().acknowledged, 0);
        let mut value: serde_json::Value = serde_json::from_str(SMOKE).unwrap();
        let metric = latency_metric(Protocol::Rest, "phase_1");
        value["metrics"][&metric]["values"] =
            serde_json::json!({ "count": 0, "p(50)": 0, "avg": 0 });
        let summary = Summary::parse(&value.to_string()).unwrap();
        assert_eq!(summary.performance().latency, Latency::default());
    }

    #[test]
    fn other_json_is_refused() {
        assert!(Summary::parse("{}").is_err());
        assert!(Summary::parse(r#"{"metrics":{},"state":{"testRunDurationMs":1}}"#).is_err());
    }
}
