//! A load while it is on, whatever it is made of: requests, operations of the event log, subscriptions.

use std::sync::Arc;
use std::time::Instant;

use hdrhistogram::Histogram;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::stop::Stop;
use crate::tally::WireCounts;

/// A load that has been started.
pub trait Load: Sized {
    /// What comes of it.
    type Outcome;
    /// Whether it may end before the clock does.
    const ENDS_BY_ITSELF: bool = false;

    /// The run's time table; `stop` on it ends the load.
    fn clock(&self) -> &Arc<Clock>;

    /// Bytes and connections so far.
    fn wire(&self) -> WireCounts;

    /// How far it has come.
    fn standing(&self) -> Standing;

    /// Whether it has ended by itself.
    fn finished(&self) -> bool {
        false
    }

    /// Waits for what is in flight (until `stop` is halted at most) and sums up.
    ///
    /// # Errors
    /// When a thread of the load panicked, or what it did cannot be checked.
    fn finish(
        self,
        window: Window,
        stop: &Stop,
    ) -> impl Future<Output = anyhow::Result<Self::Outcome>> + Send;
}

/// How far a run has come.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Requests that succeeded, or events that were delivered, since the start.
    pub done: u64,
    /// Whatever went wrong.
    pub errors: u64,
    /// Of the measured part, microseconds.
    pub latencies: Histogram<u64>,
}

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

impl Edge {
    /// Now, with what went over the wire until now.
    pub fn now(wire: WireCounts) -> Self {
        Self {
            at: Instant::now(),
            cpu: crate::cpu::of_this_process(),
            wire,
        }
    }
}

/// The generator counts as the limit when it uses more than this share of its threads' time.
pub const BUSY: f64 = 0.9;

/// The measured part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Start of the warm-up.
    pub started_at: OffsetDateTime,
    /// Start of the window.
    pub measured_at: OffsetDateTime,
    /// Its length; 0 when the run was interrupted during the warm-up.
    pub seconds: f64,
    /// Whether the run was stopped before its time.
    pub interrupted: bool,
    /// Counters at its start.
    pub from: Edge,
    /// Counters at its end.
    pub to: Edge,
}

impl Window {
    /// CPU-seconds of the generator.
    pub fn cpu_seconds(&self) -> f64 {
        self.to.cpu - self.from.cpu
    }

    /// Share of the time of `threads` that the generator used: 1 is all of it.
    pub fn cpu_share(&self, threads: usize) -> f64 {
        let wall = self.to.at.saturating_duration_since(self.from.at);
        per(self.cpu_seconds(), wall.as_secs_f64() * threads as f64)
    }

    /// Microseconds of generator CPU for each of `count`.
    pub fn cpu_micros_per(&self, count: u64) -> f64 {
        per(self.cpu_seconds() * 1e6, count as f64)
    }

    /// Bytes written, above TCP.
    pub fn bytes_sent(&self) -> u64 {
        self.to.wire.sent.saturating_sub(self.from.wire.sent)
    }

    /// Bytes read, above TCP.
    pub fn bytes_received(&self) -> u64 {
        self.to
            .wire
            .received
            .saturating_sub(self.from.wire.received)
    }
}

/// `amount` for each of `of`; 0 of nothing.
pub fn per(amount: f64, of: f64) -> f64 {
    if of > 0.0 { amount / of } else { 0.0 }
}
