//! What came of a run.

use hdrhistogram::Histogram;

use super::plan::Plan;
use crate::events::ledger::Ledger;
use crate::load::{Window, per};
use crate::outcome::LoadOutcome;
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

impl LoadOutcome for Outcome {
    fn window(&self) -> &Window {
        &self.window
    }

    fn threads(&self) -> usize {
        self.plan.timing.threads
    }

    fn succeeded(&self) -> u64 {
        self.tally.measured.acknowledged
    }

    fn made(&self) -> u64 {
        self.requests()
    }

    /// In an open loop from the time when a request should have been sent, in a closed one from the time when it was.
    fn latencies(&self) -> &Histogram<u64> {
        match self.intended {
            Some(_) => &self.tally.from_intended,
            None => &self.tally.histogram,
        }
    }
}

impl Outcome {
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

    /// Open loop: requests that were due in the window and never sent, since as many as allowed were in flight.
    pub fn missed(&self) -> u64 {
        self.intended
            .map_or(0, |intended| intended.saturating_sub(self.requests()))
    }
}
