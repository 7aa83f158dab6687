//! What came of a run of subscribers.

use hdrhistogram::Histogram;
use time::OffsetDateTime;

use super::client::ClientOutcome;
use super::feed::Fed;
use super::plan::StreamPlan;
use super::tally::StreamTally;
use crate::load::Edge;
use crate::load::outcome::{BUSY, per};

/// The result of a run, complete or interrupted.
#[derive(Debug)]
pub struct StreamOutcome {
    /// What was asked for.
    pub plan: StreamPlan,
    /// Start of the clock.
    pub started_at: OffsetDateTime,
    /// Start of the measured window.
    pub measured_at: OffsetDateTime,
    /// Length of the measured window; to the last event where all streams reached their limit.
    pub seconds: f64,
    /// Whether the run ended before its time.
    pub interrupted: bool,
    /// Everything that was counted.
    pub tally: StreamTally,
    /// The feed of a live run.
    pub fed: Option<Fed>,
    /// Subscribers that had a stream.
    pub opened: usize,
    /// Different events, all subscribers together.
    pub received: u64,
    /// Events that never came: gaps in the sequence, and live transactions that were committed and not received.
    pub missed: u64,
    /// Events that came again.
    pub repeated: u64,
    /// Events that came after one with a higher number.
    pub out_of_order: u64,
    /// The fewest and the most different events that one subscriber had.
    pub fewest: u64,
    /// See `fewest`.
    pub most: u64,
    /// Connections opened over the whole run.
    pub connections_opened: u64,
    /// Counters at the start of the window.
    pub from: Edge,
    /// Counters at its end.
    pub to: Edge,
}

/// What an outcome is made of.
pub(super) struct Parts {
    pub(super) plan: StreamPlan,
    pub(super) started_at: OffsetDateTime,
    pub(super) measured_at: OffsetDateTime,
    pub(super) seconds: f64,
    pub(super) interrupted: bool,
    pub(super) tally: StreamTally,
    pub(super) clients: Vec<ClientOutcome>,
    pub(super) fed: Option<Fed>,
    pub(super) connections_opened: u64,
    pub(super) from: Edge,
    pub(super) to: Edge,
}

impl StreamOutcome {
    pub(super) fn new(parts: Parts) -> Self {
        let committed = parts.fed.as_ref().map_or(0, |fed| fed.committed);
        let orders = || parts.clients.iter().map(|client| &client.receiver.order);
        let missed = |client: &ClientOutcome| {
            let fed = committed.saturating_sub(client.receiver.fed);
            // A live transaction that is missing between two others is a gap as well.
            fed.max(client.receiver.order.missed())
        };
        Self {
            opened: parts.clients.iter().filter(|it| it.opened).count(),
            received: orders().map(|order| order.received).sum(),
            missed: parts.clients.iter().map(missed).sum(),
            repeated: orders().map(|order| order.repeated).sum(),
            out_of_order: orders().map(|order| order.out_of_order).sum(),
            fewest: orders().map(|order| order.received).min().unwrap_or(0),
            most: orders().map(|order| order.received).max().unwrap_or(0),
            plan: parts.plan,
            started_at: parts.started_at,
            measured_at: parts.measured_at,
            seconds: parts.seconds,
            interrupted: parts.interrupted,
            tally: parts.tally,
            fed: parts.fed,
            connections_opened: parts.connections_opened,
            from: parts.from,
            to: parts.to,
        }
    }

    /// Events a second of the measured window, all subscribers together.
    pub fn rate(&self) -> f64 {
        per(self.tally.measured as f64, self.seconds)
    }

    /// The latencies that count, microseconds: of a live run from the sending of the commit, else from the sending
    /// of the event.
    pub fn latencies(&self) -> &Histogram<u64> {
        match self.plan.live {
            Some(_) => &self.tally.from_commit_sent,
            None => &self.tally.from_emitted,
        }
    }

    /// Latency at `quantile` (0 to 1), milliseconds; none without any.
    pub fn latency_ms(&self, quantile: f64) -> Option<f64> {
        let histogram = self.latencies();
        (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile) as f64 / 1000.0)
    }

    /// CPU-seconds of the generator in the window, the feed's among them.
    pub fn cpu_seconds(&self) -> f64 {
        self.to.cpu - self.from.cpu
    }

    /// Share of its threads' time that the generator used: 1 is all of it. The feed has a thread of its own.
    pub fn cpu_share(&self) -> f64 {
        let wall = self.to.at.saturating_duration_since(self.from.at);
        let threads = self.plan.threads + usize::from(self.plan.live.is_some());
        per(self.cpu_seconds(), wall.as_secs_f64() * threads as f64)
    }

    /// Microseconds of generator CPU per delivered event.
    pub fn cpu_micros_per_event(&self) -> f64 {
        per(self.cpu_seconds() * 1e6, self.tally.measured as f64)
    }

    /// Whether the generator, not the target, may have been the limit.
    pub fn generator_limited(&self) -> bool {
        self.cpu_share() > BUSY
    }

    /// Bytes read in the window, above TCP.
    pub fn bytes_received(&self) -> u64 {
        self.to
            .wire
            .received
            .saturating_sub(self.from.wire.received)
    }

    /// Bytes written in the window, above TCP.
    pub fn bytes_sent(&self) -> u64 {
        self.to.wire.sent.saturating_sub(self.from.wire.sent)
    }
}
