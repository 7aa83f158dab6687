//! What came of a run.

use std::time::Instant;

use hdrhistogram::Histogram;
use time::OffsetDateTime;

use super::Plan;
use crate::events::ledger::Ledger;
use crate::tally::{Tally, WireCounts};

/// Cumulative counters of the generator at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// When they were read.
    pub at: Instant,
    /// CPU-seconds of this process.
    pub cpu: f64,
    /// Bytes and connections.
    pub wire: WireCounts,
}

/// The result of a run, complete or interrupted.
#[derive(Debug)]
pub struct Outcome {
    /// What was asked for.
    pub plan: Plan,
    /// Start of the warm-up.
    pub started_at: OffsetDateTime,
    /// Start of the measured window.
    pub measured_at: OffsetDateTime,
    /// Length of the measured window; 0 when the run was interrupted during the warm-up.
    pub seconds: f64,
    /// Whether the run ended before its time.
    pub interrupted: bool,
    /// Open loop: requests that were due in the window.
    pub intended: Option<u64>,
    /// Everything that was counted.
    pub tally: Tally,
    /// What repeating keys should hold; none for unique ids.
    pub ledger: Option<Ledger>,
    /// Connections opened over the whole run; more than planned means that some broke.
    pub connections_opened: u64,
    /// Counters at the start of the window.
    pub from: Edge,
    /// Counters at its end.
    pub to: Edge,
}

/// The generator counts as the limit when it uses more than this share of its threads' time.
pub(crate) const BUSY: f64 = 0.9;

impl Outcome {
    /// Successful requests a second of the measured window.
    pub fn rate(&self) -> f64 {
        per(self.tally.measured.acknowledged as f64, self.seconds)
    }

    /// Measured requests, successful or not.
    pub fn requests(&self) -> u64 {
        self.tally.measured.acknowledged + self.tally.measured.errors()
    }

    /// Measured requests that did not succeed, as a share: 0 to 1.
    pub fn error_rate(&self) -> f64 {
        per(self.tally.measured.errors() as f64, self.requests() as f64)
    }

    /// CPU-seconds of the generator in the window.
    pub fn cpu_seconds(&self) -> f64 {
        self.to.cpu - self.from.cpu
    }

    /// Share of its threads' time that the generator used: 1 is all of it.
    pub fn cpu_share(&self) -> f64 {
        let wall = self
            .to
            .at
            .saturating_duration_since(self.from.at)
            .as_secs_f64();
        per(self.cpu_seconds(), wall * self.plan.threads as f64)
    }

    /// Microseconds of generator CPU per measured request.
    pub fn cpu_micros_per_request(&self) -> f64 {
        per(self.cpu_seconds() * 1e6, self.requests() as f64)
    }

    /// Whether the generator, not the target, may have been the limit.
    pub fn generator_limited(&self) -> bool {
        self.cpu_share() > BUSY
    }

    /// Bytes written in the window, above TCP.
    pub fn bytes_sent(&self) -> u64 {
        self.to.wire.sent.saturating_sub(self.from.wire.sent)
    }

    /// Bytes read in the window, above TCP.
    pub fn bytes_received(&self) -> u64 {
        self.to
            .wire
            .received
            .saturating_sub(self.from.wire.received)
    }

    /// Open loop: requests that were due in the window and never sent, since as many as allowed were in flight.
    pub fn missed(&self) -> u64 {
        self.intended
            .map_or(0, |intended| intended.saturating_sub(self.requests()))
    }

    /// The latencies that count, microseconds: in an open loop from the time when a request should have been sent,
    /// in a closed one from the time when it was.
    pub fn latencies(&self) -> &Histogram<u64> {
        match self.intended {
            Some(_) => &self.tally.from_intended,
            None => &self.tally.histogram,
        }
    }

    /// Latency at `quantile` (0 to 1) of the measured successes, milliseconds; none without any.
    pub fn latency_ms(&self, quantile: f64) -> Option<f64> {
        let histogram = self.latencies();
        (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile) as f64 / 1000.0)
    }
}

pub(crate) fn per(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}
