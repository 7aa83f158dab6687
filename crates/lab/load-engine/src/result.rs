//! The result as JSON; docs/reference/benchmark.md describes every key.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use serde::Serialize;
use time::OffsetDateTime;

use crate::load::{Window, per};
use crate::outcome::LoadOutcome;
use crate::plan::Timing;
use crate::requests::outcome::Outcome;

/// Number of the form of all results, raised when keys are added or change; docs/reference/benchmark.schema.json.
pub const FORMAT: u32 = 2;

/// Name and version of the shape below.
pub const SCHEMA: &str = "weir.benchmark/1";

/// What every result says, whatever the load was made of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultHead {
    /// Name and version of the shape of this result.
    pub schema: &'static str,
    /// [`FORMAT`].
    pub format: u32,
    /// That of the generator.
    pub version: &'static str,
    /// What was asked of the target.
    pub scenario: &'static str,
    /// What it was reached by.
    pub protocol: &'static str,
    /// Its name in `targets.toml`, if it was asked for by that.
    pub target: Option<String>,
    /// Where it is; none in-process.
    pub url: Option<String>,
    /// The label of the run.
    pub run_id: String,
    /// Threads that made the load.
    pub threads: usize,
    /// Load before the measured window.
    pub warmup_seconds: f64,
    /// The measured window as it was asked for.
    pub planned_seconds: f64,
    /// The measured window as it was.
    pub measured_seconds: f64,
    /// Ended before its time.
    pub interrupted: bool,
    /// Start of the measured window.
    #[serde(with = "time::serde::rfc3339")]
    pub measured_at: OffsetDateTime,
}

/// What a load was made for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What was asked of the target.
    pub scenario: &'static str,
    /// What it was reached by.
    pub protocol: &'static str,
    /// Its name in `targets.toml`, if it was asked for by that.
    pub target: Option<String>,
    /// Where it is; none in-process.
    pub url: Option<String>,
    /// The label of the run.
    pub run_id: String,
}

impl ResultHead {
    /// The head of a result of the shape `schema`.
    #[must_use]
    pub fn new(schema: &'static str, asked: Asked, timing: Timing, window: &Window) -> Self {
        let Asked {
            scenario,
            protocol,
            target,
            url,
            run_id,
        } = asked;
        Self {
            schema,
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            scenario,
            protocol,
            target,
            url,
            run_id,
            threads: timing.threads,
            warmup_seconds: timing.warmup.as_secs_f64(),
            planned_seconds: timing.duration.as_secs_f64(),
            measured_seconds: window.seconds,
            interrupted: window.interrupted,
            measured_at: window.measured_at,
        }
    }
}

/// What the generator itself cost.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratorCost {
    /// CPU-seconds in the measured window.
    pub cpu_seconds: f64,
    /// Share of its threads' time: 1 is all of it.
    pub cpu_share: f64,
    /// Whether it may have been the limit.
    pub limited: bool,
}

impl GeneratorCost {
    /// That of a load.
    pub fn of(outcome: &impl LoadOutcome) -> Self {
        Self {
            cpu_seconds: outcome.window().cpu_seconds(),
            cpu_share: outcome.cpu_share(),
            limited: outcome.generator_limited(),
        }
    }
}

/// Everything that is known of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunResult {
    #[serde(flatten)]
    head: ResultHead,
    loop_kind: &'static str,
    intended_per_second: Option<f64>,
    seed: u64,
    payload: &'static str,
    keys: Option<u32>,
    batch: Option<u32>,
    accounts: Option<u32>,
    concurrency: usize,
    connections: usize,
    connections_opened: u64,
    connections_replaced: u64,
    timeout_seconds: f64,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    requests: Requests,
    events: Events,
    events_per_second: f64,
    event_outcome_ms: Option<Latency>,
    event_errors: BTreeMap<String, u64>,
    latency_ms: Option<Latency>,
    latency_from_send_ms: Option<Latency>,
    errors: BTreeMap<String, u64>,
    errors_whole_run: BTreeMap<String, u64>,
    bytes: Bytes,
    generator: Generator,
    histogram_v2: String,
    from_send_histogram_v2: String,
    event_histogram_v2: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Requests {
    total: u64,
    successful: u64,
    failed: u64,
    per_second: f64,
    error_rate: f64,
    /// Open loop: due in the window; of these never sent, and sent late.
    intended: Option<u64>,
    missed: u64,
    late: u64,
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

/// A distribution of durations, milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Mean.
    pub avg: f64,
    /// Shortest.
    pub min: f64,
    /// Longest.
    pub max: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
}

impl Latency {
    /// That of a histogram of microseconds; none without any value.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let ms = |micros: u64| micros as f64 / 1000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        (!histogram.is_empty()).then(|| Self {
            avg: histogram.mean() / 1000.0,
            min: ms(histogram.min()),
            max: ms(histogram.max()),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
        })
    }
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
    #[serde(flatten)]
    cost: GeneratorCost,
    cpu_micros_per_request: f64,
}

impl RunResult {
    /// The result of `outcome`; `target` is its name in `targets.toml`, if it was asked for by that.
    ///
    /// # Errors
    /// When the histogram cannot be encoded.
    pub fn new(outcome: &Outcome, target: Option<String>) -> anyhow::Result<Self> {
        let plan = &outcome.plan;
        let whole = outcome.events();
        let requests = outcome.requests();
        let events = outcome.tally.events.as_deref();
        let each = |bytes: u64| per(bytes as f64, requests as f64);
        let asked = Asked {
            scenario: plan.work.scenario(),
            protocol: plan.protocol.as_str(),
            target,
            url: Some(plan.route.endpoint.url()),
            run_id: plan.work.run_id().into(),
        };
        Ok(Self {
            head: ResultHead::new(SCHEMA, asked, plan.timing, &outcome.window),
            loop_kind: if plan.rate.is_some() {
                "open"
            } else {
                "closed"
            },
            intended_per_second: plan.rate,
            seed: plan.work.seed(),
            payload: plan.work.payload(),
            keys: plan.work.keys(),
            batch: plan.work.batch(),
            accounts: plan.work.accounts(),
            concurrency: plan.concurrency,
            connections: plan.route.connections,
            connections_opened: outcome.wire.connections,
            connections_replaced: outcome.wire.replaced,
            timeout_seconds: plan.route.timeout.as_secs_f64(),
            started_at: outcome.window.started_at,
            requests: Requests {
                total: requests,
                successful: outcome.tally.measured.acknowledged,
                failed: outcome.tally.measured.errors(),
                per_second: outcome.rate(),
                error_rate: outcome.error_rate(),
                intended: outcome.intended,
                missed: outcome.missed(),
                late: outcome.tally.late,
            },
            events: Events {
                sent: whole.sent(),
                acknowledged: whole.acknowledged,
                failed: whole.failed,
                unanswered: whole.unanswered,
                in_doubt: whole.in_doubt(),
                not_sent: whole.not_sent,
            },
            events_per_second: outcome.event_rate(),
            event_outcome_ms: events.and_then(|events| Latency::of(&events.histogram)),
            event_errors: events
                .map(|events| events.errors.clone())
                .unwrap_or_default(),
            latency_ms: Latency::of(outcome.latencies()),
            latency_from_send_ms: Latency::of(&outcome.tally.histogram),
            errors: outcome.tally.errors.clone(),
            errors_whole_run: outcome.tally.errors_whole.clone(),
            bytes: Bytes {
                sent: outcome.window.bytes_sent(),
                received: outcome.window.bytes_received(),
                sent_per_request: each(outcome.window.bytes_sent()),
                received_per_request: each(outcome.window.bytes_received()),
            },
            generator: Generator {
                cost: GeneratorCost::of(outcome),
                cpu_micros_per_request: outcome.cpu_micros_each(),
            },
            histogram_v2: encode_histogram(outcome.latencies())?,
            from_send_histogram_v2: encode_histogram(&outcome.tally.histogram)?,
            event_histogram_v2: events
                .map(|events| encode_histogram(&events.histogram))
                .transpose()?,
        })
    }
}

/// A histogram in HdrHistogram's V2 encoding.
///
/// # Errors
/// When it cannot be encoded.
pub fn histogram_v2(histogram: &Histogram<u64>) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    V2Serializer::new()
        .serialize(histogram, &mut bytes)
        .map_err(|error| anyhow::anyhow!("cannot encode the histogram: {error}"))?;
    Ok(bytes)
}

/// The same in base64, for JSON.
///
/// # Errors
/// When it cannot be encoded.
pub fn encode_histogram(histogram: &Histogram<u64>) -> anyhow::Result<String> {
    Ok(STANDARD.encode(histogram_v2(histogram)?))
}
