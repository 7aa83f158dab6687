//! The stream's own figures: many live subscribers of each face, very many, those that are idle, and a replay. There is
//! nothing to put beside them; they have bounds.

use serde::Serialize;

use crate::pairs::{Group, Spread};
use load_engine::outcome::{LoadOutcome, quantile_ms};
use load_engine::protocol::Protocol;
use load_stream::outcome::StreamOutcome;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamKind {
    /// Some subscribers that get every transaction as it is committed.
    Live(Protocol),
    /// As many of them as two cores bear.
    Crowd(Protocol),
    /// Subscribers that get an event now and then, for what each costs in memory.
    Idle(Protocol),
    Replay(Protocol),
}

/// Transactions a second for idle subscribers: each proves that they still listen.
pub(crate) const IDLE_FEED_RATE: f64 = 0.5;

/// The most that the 99th percentile from a commit to the receipt may be, milliseconds.
const LIVE_P99_MS: f64 = 50.0;
/// The same in a crowd.
const CROWD_P99_MS: f64 = 100.0;
/// The most anonymous memory of the service that an idle subscriber may take, KiB.
const IDLE_KIB: f64 = 32.0;
/// The least events a second that a replay to one subscriber over gRPC has to reach.
pub(crate) const REPLAY_RATE: f64 = 100_000.0;
/// The least share of the live transactions that has to be committed in time for a measurement to count.
const FEED_HELD: f64 = 0.99;

impl StreamKind {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 8] = [
        Self::Live(Protocol::Rest),
        Self::Live(Protocol::Grpc),
        Self::Crowd(Protocol::Rest),
        Self::Crowd(Protocol::Grpc),
        Self::Idle(Protocol::Rest),
        Self::Idle(Protocol::Grpc),
        Self::Replay(Protocol::Rest),
        Self::Replay(Protocol::Grpc),
    ];

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Live(protocol)
            | Self::Crowd(protocol)
            | Self::Idle(protocol)
            | Self::Replay(protocol) => protocol,
        }
    }

    /// What it is measured with.
    pub(crate) fn group(self) -> Group {
        match self {
            Self::Live(_) | Self::Replay(_) => Group::Stream,
            Self::Crowd(_) | Self::Idle(_) => Group::Crowd,
        }
    }

    /// For programs.
    pub(crate) fn name(self) -> String {
        format!("{}-{}", self.load(), self.protocol().as_str())
    }

    fn load(self) -> &'static str {
        match self {
            Self::Live(_) => "live",
            Self::Crowd(_) => "crowd",
            Self::Idle(_) => "idle",
            Self::Replay(_) => "replay",
        }
    }

    /// For people.
    pub(crate) fn label(self) -> String {
        let face = match self.protocol() {
            Protocol::Rest => "SSE",
            Protocol::Grpc => "gRPC",
        };
        format!("{} over {face}", self.load())
    }
}

impl Serialize for StreamKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// What one measurement gave.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamMeasurement {
    pub(crate) kind: StreamKind,
    /// From 1.
    pub(crate) round: u32,
    pub(crate) subscribers: usize,
    pub(crate) events_per_second: f64,
    /// Of the measured window.
    pub(crate) delivered: u64,
    /// Live transactions that were committed; 0 in a replay.
    pub(crate) committed: u64,
    pub(crate) missed: u64,
    pub(crate) repeated: u64,
    pub(crate) out_of_order: u64,
    pub(crate) breaks: u64,
    pub(crate) errors: u64,
    /// From the sending of the commit; none in a replay.
    pub(crate) commit_p50_ms: Option<f64>,
    pub(crate) commit_p99_ms: Option<f64>,
    /// From the answer to the commit.
    pub(crate) answer_p99_ms: Option<f64>,
    /// From the sending of the event.
    pub(crate) emitted_p99_ms: Option<f64>,
    /// CPU in the window, microseconds per delivered event.
    pub(crate) service_cpu_us: f64,
    pub(crate) postgres_cpu_us: f64,
    pub(crate) client_cpu_us: f64,
    pub(crate) client_share: f64,
    /// Anonymous memory of the service before it had subscribers, KiB.
    pub(crate) memory_before_kib: u64,
    /// The most in the window.
    pub(crate) memory_kib: u64,
    /// Why it proves nothing, if so.
    pub(crate) fault: Option<String>,
}

/// What a measurement cost beside the generator.
pub(crate) struct StreamCost {
    /// CPU-seconds of the window.
    pub(crate) service_seconds: f64,
    pub(crate) postgres_seconds: f64,
    /// Anonymous memory of the service before it had subscribers, KiB.
    pub(crate) memory_before_kib: u64,
    /// The most in the window, KiB.
    pub(crate) memory_kib: u64,
}

impl StreamMeasurement {
    pub(crate) fn new(
        kind: StreamKind,
        round: u32,
        outcome: &StreamOutcome,
        cost: &StreamCost,
    ) -> Self {
        let tally = &outcome.tally;
        let each = |seconds: f64| seconds * 1e6 / tally.measured.max(1) as f64;
        Self {
            kind,
            round,
            subscribers: outcome.plan.clients,
            events_per_second: outcome.rate(),
            delivered: tally.measured,
            committed: outcome.fed.as_ref().map_or(0, |fed| fed.committed),
            missed: outcome.missed,
            repeated: outcome.repeated,
            out_of_order: outcome.out_of_order,
            breaks: tally.breaks,
            errors: tally.errors.values().sum(),
            commit_p50_ms: quantile_ms(&tally.from_commit_sent, 0.5),
            commit_p99_ms: quantile_ms(&tally.from_commit_sent, 0.99),
            answer_p99_ms: quantile_ms(&tally.from_commit_answered, 0.99),
            emitted_p99_ms: quantile_ms(&tally.from_emitted, 0.99),
            service_cpu_us: each(cost.service_seconds),
            postgres_cpu_us: each(cost.postgres_seconds),
            client_cpu_us: each(outcome.window.cpu_seconds()),
            client_share: outcome.cpu_share(),
            memory_before_kib: cost.memory_before_kib,
            memory_kib: cost.memory_kib,
            fault: fault(kind, outcome),
        }
    }

    /// Events that did not come as they should, and streams that broke.
    pub(crate) fn faults(&self) -> u64 {
        self.missed + self.repeated + self.out_of_order + self.breaks + self.errors
    }

    /// Anonymous memory of the service for each subscriber, KiB.
    pub(crate) fn memory_each_kib(&self) -> f64 {
        let more = self.memory_kib.saturating_sub(self.memory_before_kib);
        more as f64 / self.subscribers.max(1) as f64
    }
}

fn fault(kind: StreamKind, outcome: &StreamOutcome) -> Option<String> {
    let label = kind.label();
    if let Some(fed) = &outcome.fed {
        if let Some(error) = &fed.error {
            return Some(format!("{label}: {error}"));
        }
        if (fed.committed as f64) < FEED_HELD * fed.due as f64 {
            return Some(format!(
                "{label}: {} of {} live transactions were committed in time; try more --feed-connections",
                fed.committed, fed.due
            ));
        }
    }
    if outcome.received == 0 {
        return Some(format!("{label}: not one event came"));
    }
    outcome.generator_limited().then(|| {
        format!(
            "{label}: the generator was the limit ({:.0} % busy); try more --stream-threads",
            outcome.cpu_share() * 100.0
        )
    })
}

/// A bound with its figure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BoundRow {
    pub(crate) what: String,
    pub(crate) value: Spread,
    pub(crate) unit: &'static str,
    pub(crate) bound: String,
    pub(crate) met: bool,
}

/// The bounds of what was measured.
pub(crate) fn bounds(measurements: &[StreamMeasurement]) -> Vec<BoundRow> {
    StreamKind::ALL
        .into_iter()
        .flat_map(|kind| {
            let its: Vec<&StreamMeasurement> =
                measurements.iter().filter(|it| it.kind == kind).collect();
            let faults = Spread::of(its.iter().map(|it| it.faults() as f64));
            let faults = faults.map(|value| BoundRow {
                what: format!("{}: missed, repeated, misplaced, broken", kind.label()),
                met: value.max == 0.0,
                value,
                unit: "",
                bound: "0".into(),
            });
            let figure = match kind {
                StreamKind::Live(_) => p99(kind, &its, LIVE_P99_MS),
                StreamKind::Crowd(_) => p99(kind, &its, CROWD_P99_MS),
                StreamKind::Idle(_) => memory(kind, &its),
                StreamKind::Replay(protocol) => rate(kind, protocol, &its),
            };
            faults.into_iter().chain(figure)
        })
        .collect()
}

fn p99(kind: StreamKind, its: &[&StreamMeasurement], most: f64) -> Option<BoundRow> {
    let value = Spread::of(its.iter().filter_map(|it| it.commit_p99_ms))?;
    Some(BoundRow {
        what: format!("{}: commit to receipt, p99", kind.label()),
        met: value.median < most,
        value,
        unit: "ms",
        bound: format!("under {most:.0} ms"),
    })
}

fn memory(kind: StreamKind, its: &[&StreamMeasurement]) -> Option<BoundRow> {
    let value = Spread::of(its.iter().map(|it| it.memory_each_kib()))?;
    Some(BoundRow {
        what: format!(
            "{}: memory of the service for each subscriber",
            kind.label()
        ),
        met: value.median <= IDLE_KIB,
        value,
        unit: "KiB",
        bound: format!("at most {IDLE_KIB:.0} KiB"),
    })
}

fn rate(kind: StreamKind, protocol: Protocol, its: &[&StreamMeasurement]) -> Option<BoundRow> {
    let value = Spread::of(its.iter().map(|it| it.events_per_second))?;
    let bounded = protocol == Protocol::Grpc;
    Some(BoundRow {
        what: format!("{}: events a second to one subscriber", kind.label()),
        met: !bounded || value.median >= REPLAY_RATE,
        value,
        unit: "/s",
        bound: if bounded {
            "at least 100,000/s".into()
        } else {
            "-".into()
        },
    })
}
