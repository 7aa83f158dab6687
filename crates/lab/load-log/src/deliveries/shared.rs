//! What the tasks of a delivery note together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ledger::{Ledger, Receipt};
use load_engine::clock::Clock;
use load_engine::tally::{Lane, RequestOutcome};

/// What the tasks of a delivery share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) clock: Arc<Clock>,
    pub(super) lane: Arc<Lane>,
    pub(super) ledger: Arc<Ledger>,
}

impl Shared {
    /// Counts a record that was received now.
    pub(super) fn received(&self, receipt: Receipt) {
        let now = Instant::now();
        let part = self.clock.part(now);
        let since_due = now.saturating_duration_since(receipt.due);
        let since_sent = now.saturating_duration_since(receipt.sent);
        let mut tally = self.lane.tally();
        tally.settle(
            part,
            &RequestOutcome::Acknowledged,
            since_sent,
            Some(since_due),
        );
    }

    /// Counts what went wrong.
    pub(super) fn failed(&self, fate: &RequestOutcome) {
        let part = self.clock.part(Instant::now());
        self.lane.tally().settle(part, fate, Duration::ZERO, None);
    }
}
