//! The result as JSON; docs/reference/benchmark.md describes every key.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use serde::Serialize;
use time::OffsetDateTime;

use crate::load::Outcome;

/// Name and version of the shape below.
pub const SCHEMA: &str = "weir.benchmark/1";

/// Everything that is known of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    schema: &'static str,
    version: &'static str,
    scenario: &'static str,
    protocol: &'static str,
    target: Option<String>,
    url: String,
    run_id: String,
    seed: u64,
    payload: &'static str,
    keys: Option<u32>,
    concurrency: usize,
    connections: usize,
    connections_opened: u64,
    threads: usize,
    timeout_seconds: f64,
    warmup_seconds: f64,
    planned_seconds: f64,
    measured_seconds: f64,
    interrupted: bool,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    measured_at: OffsetDateTime,
    requests: Requests,
    events: Events,
    latency_ms: Option<Latency>,
    errors: BTreeMap<String, u64>,
    errors_whole_run: BTreeMap<String, u64>,
    bytes: Bytes,
    generator: Generator,
    histogram_v2: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    total: u64,
    successful: u64,
    failed: u64,
    per_second: f64,
    error_rate: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    sent: u64,
    acknowledged: u64,
    failed: u64,
    unanswered: u64,
    in_doubt: u64,
    not_sent: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Latency {
    avg: f64,
    min: f64,
    max: f64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    p999: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bytes {
    sent: u64,
    received: u64,
    sent_per_request: f64,
    received_per_request: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Generator {
    cpu_seconds: f64,
    cpu_share: f64,
    cpu_micros_per_request: f64,
    limited: bool,
}

impl RunResult {
    /// The result of `outcome`; `target` is its name in `targets.toml`, if it was asked for by that.
    ///
    /// # Errors
    /// When the histogram cannot be encoded.
    pub fn new(
        outcome: &Outcome,
        scenario: &'static str,
        target: Option<String>,
    ) -> anyhow::Result<Self> {
        let plan = &outcome.plan;
        let whole = &outcome.tally.whole;
        let requests = outcome.requests();
        let each = |bytes: u64| {
            if requests > 0 {
                bytes as f64 / requests as f64
            } else {
                0.0
            }
        };
        Ok(Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            scenario,
            protocol: plan.protocol.name(),
            target,
            url: format!("http://{}", plan.endpoint.authority),
            run_id: plan.events.run_id.clone(),
            seed: plan.events.seed,
            payload: plan.events.payload.name(),
            keys: plan.events.keys,
            concurrency: plan.concurrency,
            connections: plan.connections,
            connections_opened: outcome.connections_opened,
            threads: plan.threads,
            timeout_seconds: plan.timeout.as_secs_f64(),
            warmup_seconds: plan.warmup.as_secs_f64(),
            planned_seconds: plan.duration.as_secs_f64(),
            measured_seconds: outcome.seconds,
            interrupted: outcome.interrupted,
            started_at: outcome.started_at,
            measured_at: outcome.measured_at,
            requests: Requests {
                total: requests,
                successful: outcome.tally.measured.acknowledged,
                failed: outcome.tally.measured.errors(),
                per_second: outcome.rate(),
                error_rate: outcome.error_rate(),
            },
            events: Events {
                sent: whole.sent(),
                acknowledged: whole.acknowledged,
                failed: whole.failed,
                unanswered: whole.unanswered,
                in_doubt: whole.in_doubt(),
                not_sent: whole.not_sent,
            },
            latency_ms: latency(outcome),
            errors: outcome.tally.errors.clone(),
            errors_whole_run: outcome.tally.errors_whole.clone(),
            bytes: Bytes {
                sent: outcome.bytes_sent(),
                received: outcome.bytes_received(),
                sent_per_request: each(outcome.bytes_sent()),
                received_per_request: each(outcome.bytes_received()),
            },
            generator: Generator {
                cpu_seconds: outcome.cpu_seconds(),
                cpu_share: outcome.cpu_share(),
                cpu_micros_per_request: outcome.cpu_micros_per_request(),
                limited: outcome.generator_limited(),
            },
            histogram_v2: STANDARD.encode(histogram_v2(outcome)?),
        })
    }
}

/// The measured latencies as an HdrHistogram in V2 encoding, microseconds.
///
/// # Errors
/// When the histogram cannot be encoded.
pub fn histogram_v2(outcome: &Outcome) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    V2Serializer::new()
        .serialize(&outcome.tally.histogram, &mut bytes)
        .map_err(|error| anyhow::anyhow!("cannot encode the histogram: {error}"))?;
    Ok(bytes)
}

fn latency(outcome: &Outcome) -> Option<Latency> {
    let histogram = &outcome.tally.histogram;
    Some(Latency {
        p50: outcome.latency_ms(0.5)?,
        p90: outcome.latency_ms(0.9)?,
        p95: outcome.latency_ms(0.95)?,
        p99: outcome.latency_ms(0.99)?,
        p999: outcome.latency_ms(0.999)?,
        avg: histogram.mean() / 1000.0,
        min: histogram.min() as f64 / 1000.0,
        max: histogram.max() as f64 / 1000.0,
    })
}
