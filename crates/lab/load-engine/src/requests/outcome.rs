//! What came of a run.

use hdrhistogram::Histogram;

use super::plan::Plan;
use crate::events::ledger::Ledger;
use crate::load::{BUSY, Window, per};
use crate::tally::{Counts, Tally, WireCounts};

/// The result of a run, complete or interrupted.
#[derive(Debug)]
pub struct Outcome {
    /// What was asked for.
    pub plan: Plan,
    /// When it was measured, and at what cost.
    pub window: Window,
    /// Open loop: requests that were due in the window.
    pub intended: Option<u64>,
    /// Everything that was counted.
    pub tally: Tally,
    /// What repeating keys should hold; none for unique ids.
    pub ledger: Option<Ledger>,
    /// What went over the wire in the whole run. More connections than were planned or replaced: some broke.
    pub wire: WireCounts,
}

impl Outcome {
    /// Successful requests a second of the measured window.
    pub fn rate(&self) -> f64 {
        per(self.tally.measured.acknowledged as f64, self.window.seconds)
    }

    /// How the events of the whole run ended: what an audit compares with the database.
    pub fn events(&self) -> Counts {
        match &self.tally.events {
            Some(events) => events.whole,
            None => self.tally.whole,
        }
    }

    /// Events that were acknowledged, or reads that succeeded, in the measured window.
    pub fn events_measured(&self) -> u64 {
        match &self.tally.events {
            Some(events) => events.measured.acknowledged,
            None => self.tally.measured.acknowledged,
        }
    }

    /// The same a second.
    pub fn event_rate(&self) -> f64 {
        per(self.events_measured() as f64, self.window.seconds)
    }

    /// Measured requests, successful or not.
    pub fn requests(&self) -> u64 {
        self.tally.measured.acknowledged + self.tally.measured.errors()
    }

    /// Measured requests that did not succeed, as a share: 0 to 1.
    pub fn error_rate(&self) -> f64 {
        per(self.tally.measured.errors() as f64, self.requests() as f64)
    }

    /// Share of its threads' time that the generator used: 1 is all of it.
    pub fn cpu_share(&self) -> f64 {
        self.window.cpu_share(self.plan.threads)
    }

    /// Microseconds of generator CPU per measured request.
    pub fn cpu_micros_per_request(&self) -> f64 {
        self.window.cpu_micros_per(self.requests())
    }

    /// Whether the generator, not the target, may have been the limit.
    pub fn generator_limited(&self) -> bool {
        self.cpu_share() > BUSY
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
