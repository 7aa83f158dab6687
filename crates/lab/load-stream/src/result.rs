//! The result of a stream as JSON; docs/reference/benchmark.md describes every key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::outcome::StreamOutcome;
use load_engine::criteria::{self, Criterion};
use load_engine::load::per;
use load_engine::outcome::LoadOutcome;
use load_engine::protocol::Protocol;
use load_engine::result::{Asked, GeneratorCost, Latency, ResultHead, encode_histogram};

/// Name and version of the shape below.
pub const SCHEMA: &str = "weir.benchmark-stream/1";

/// Everything that is known of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamResult {
    #[serde(flatten)]
    head: ResultHead,
    workload: Option<&'static str>,
    clients: usize,
    connections: usize,
    connections_opened: u64,
    since: Option<String>,
    rate_asked: Option<u32>,
    limit: Option<u64>,
    feed_rate: Option<f64>,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    events: Events,
    /// Subscribers that read slowly; they are in no other figure.
    slow: Option<SlowResult>,
    latency_ms: Latencies,
    errors: BTreeMap<String, u64>,
    bytes_received: u64,
    bytes_per_event: f64,
    generator: Generator,
    passed: bool,
    criteria: Vec<Criterion>,
    histogram_v2: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SlowResult {
    clients: usize,
    events_per_second: f64,
    opened: usize,
    received: u64,
    missed: u64,
    repeated: u64,
    out_of_order: u64,
    breaks: u64,
    behind_events: u64,
    behind_seconds: f64,
}

impl SlowResult {
    fn of(outcome: &StreamOutcome) -> Option<Self> {
        let (plan, slow) = (outcome.plan.slow.as_ref()?, outcome.slow.as_ref()?);
        Some(Self {
            clients: plan.clients,
            events_per_second: plan.events_per_second,
            opened: slow.opened,
            received: slow.received,
            missed: slow.missed,
            repeated: slow.repeated,
            out_of_order: slow.out_of_order,
            breaks: slow.breaks,
            behind_events: slow.behind_events,
            behind_seconds: slow.behind.as_secs_f64(),
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Events {
    delivered: u64,
    measured: u64,
    per_second: f64,
    received: u64,
    fewest_to_a_client: u64,
    most_to_a_client: u64,
    missed: u64,
    repeated: u64,
    out_of_order: u64,
    breaks: u64,
    committed: Option<u64>,
    before_answer: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Latencies {
    commit_to_receipt: Option<Latency>,
    answer_to_receipt: Option<Latency>,
    emitted_to_receipt: Option<Latency>,
    connect: Option<Latency>,
    open: Option<Latency>,
    first_event: Option<Latency>,
    commit: Option<Latency>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Generator {
    #[serde(flatten)]
    cost: GeneratorCost,
    cpu_micros_per_event: f64,
}

impl StreamResult {
    /// The result of `outcome`; `target` is its name in `targets.toml`, if it was asked for by that.
    ///
    /// # Errors
    /// When the histogram cannot be encoded.
    pub fn new(
        outcome: &StreamOutcome,
        criteria: &[Criterion],
        target: Option<String>,
        workload: Option<&'static str>,
    ) -> anyhow::Result<Self> {
        let (plan, tally) = (&outcome.plan, &outcome.tally);
        let live = outcome.fed.as_ref();
        let asked = Asked {
            scenario: "stream",
            protocol: plan.protocol.as_str(),
            target,
            url: Some(plan.route.endpoint.url()),
            run_id: plan.run_id.clone(),
        };
        Ok(Self {
            head: ResultHead::new(SCHEMA, asked, plan.timing, &outcome.window),
            workload,
            clients: plan.clients,
            connections: plan.route.connections,
            connections_opened: outcome.connections_opened,
            since: plan.since.clone(),
            rate_asked: plan.rate,
            limit: plan.limit,
            feed_rate: plan.live.as_ref().map(|live| live.rate),
            started_at: outcome.window.started_at,
            events: Events {
                delivered: tally.delivered,
                measured: tally.measured,
                per_second: outcome.rate(),
                received: outcome.received,
                fewest_to_a_client: outcome.fewest,
                most_to_a_client: outcome.most,
                missed: outcome.missed,
                repeated: outcome.repeated,
                out_of_order: outcome.out_of_order,
                breaks: tally.breaks,
                committed: live.map(|fed| fed.committed),
                before_answer: live.map(|_| tally.before_answer),
            },
            slow: SlowResult::of(outcome),
            latency_ms: Latencies {
                commit_to_receipt: Latency::of(&tally.from_commit_sent),
                answer_to_receipt: Latency::of(&tally.from_commit_answered),
                emitted_to_receipt: Latency::of(&tally.from_emitted),
                connect: Latency::of(&tally.connect),
                open: Latency::of(&tally.open),
                first_event: Latency::of(&tally.first_event),
                commit: live.and_then(|fed| Latency::of(&fed.commit)),
            },
            errors: tally.errors.clone(),
            bytes_received: outcome.window.bytes_received(),
            bytes_per_event: per(
                outcome.window.bytes_received() as f64,
                tally.measured as f64,
            ),
            generator: Generator {
                cost: GeneratorCost::of(outcome),
                cpu_micros_per_event: outcome.cpu_micros_each(),
            },
            passed: criteria::passed(criteria),
            criteria: criteria.to_vec(),
            histogram_v2: encode_histogram(outcome.latencies())?,
        })
    }
}

/// What the metrics database keeps of a stream beside the figures that all scenarios have.
pub fn scenario_stats(outcome: &StreamOutcome, criteria: &[Criterion]) -> Value {
    let tally = &outcome.tally;
    json!({
        "face": match outcome.plan.protocol {
            Protocol::Rest => "sse",
            Protocol::Grpc => "grpc",
        },
        "clients": outcome.plan.clients,
        "events": outcome.received,
        "missed": outcome.missed,
        "repeated": outcome.repeated,
        "outOfOrder": outcome.out_of_order,
        "breaks": tally.breaks,
        "slow": SlowResult::of(outcome),
        "connectMs": Latency::of(&tally.connect),
        "openMs": Latency::of(&tally.open),
        "firstEventMs": Latency::of(&tally.first_event),
        "commitToReceiptMs": Latency::of(&tally.from_commit_sent),
        "emittedToReceiptMs": Latency::of(&tally.from_emitted),
        "passed": criteria::passed(criteria),
    })
}
