//! What the subscribers of one thread have counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

use load_engine::tally::{Wire, histogram, merge};

/// Counts of events; one thread's, or the sum of several. Durations are microseconds.
#[derive(Clone, Debug)]
pub struct StreamTally {
    /// Events that came, repeated ones too, over the whole run.
    pub delivered: u64,
    /// Events of the measured window: by the commit where it is known, else by the receipt.
    pub measured: u64,
    /// From the time of sending that the event carries to its receipt.
    pub from_emitted: Histogram<u64>,
    /// Live: from the sending of the commit to the receipt of the event.
    pub from_commit_sent: Histogram<u64>,
    /// Live: from the answer to the commit to the receipt; those that came before the answer count as 1 us.
    pub from_commit_answered: Histogram<u64>,
    /// Live: events that came before the answer to their commit was read.
    pub before_answer: u64,
    /// To open a connection, with HTTP/2's preface over gRPC.
    pub connect: Histogram<u64>,
    /// From the request to the head of the answer.
    pub open: Histogram<u64>,
    /// From the request to the first event.
    pub first_event: Histogram<u64>,
    /// Streams that ended before their time.
    pub breaks: u64,
    /// Kinds of whatever went wrong, with their counts.
    pub errors: BTreeMap<String, u64>,
    /// The last receipt.
    pub last_event: Option<Instant>,
}

impl Default for StreamTally {
    fn default() -> Self {
        Self {
            delivered: 0,
            measured: 0,
            from_emitted: histogram(),
            from_commit_sent: histogram(),
            from_commit_answered: histogram(),
            before_answer: 0,
            connect: histogram(),
            open: histogram(),
            first_event: histogram(),
            breaks: 0,
            errors: BTreeMap::new(),
            last_event: None,
        }
    }
}

impl StreamTally {
    /// Counts something that went wrong.
    pub fn error(&mut self, kind: &str) {
        *self.errors.entry(kind.to_owned()).or_default() += 1;
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: &Self) {
        self.delivered += other.delivered;
        self.measured += other.measured;
        self.before_answer += other.before_answer;
        self.breaks += other.breaks;
        self.last_event = self.last_event.max(other.last_event);
        for (mine, others) in [
            (&mut self.from_emitted, &other.from_emitted),
            (&mut self.from_commit_sent, &other.from_commit_sent),
            (&mut self.from_commit_answered, &other.from_commit_answered),
            (&mut self.connect, &other.connect),
            (&mut self.open, &other.open),
            (&mut self.first_event, &other.first_event),
        ] {
            merge(mine, others);
        }
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
    }
}

/// What a thread shares with the one that reports.
#[derive(Debug, Default)]
pub(super) struct StreamLane {
    tally: Mutex<StreamTally>,
    pub(super) wire: Arc<Wire>,
}

impl StreamLane {
    /// The tally: locked by the lane's own thread once a read, by the reporting one once a second.
    pub(super) fn tally(&self) -> MutexGuard<'_, StreamTally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
