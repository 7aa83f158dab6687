//! What the workers of one thread have counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock::Part;

/// The longest latency that a histogram tells apart, microseconds; longer ones count as this.
const LONGEST_US: u64 = 120_000_000;

/// A request of an open loop that is sent this long after it was due is late.
pub const LATE: Duration = Duration::from_millis(1);

/// An empty histogram of microseconds, three significant digits.
pub fn histogram() -> Histogram<u64> {
    // The bounds are constants that HdrHistogram accepts; it cannot fail on them.
    #[expect(clippy::unwrap_used, reason = "constant, valid bounds")]
    Histogram::new_with_bounds(1, LONGEST_US, 3).unwrap()
}

/// Adds a duration to a histogram of [`histogram`]; one beyond its bounds counts as the bound.
pub fn record(histogram: &mut Histogram<u64>, duration: Duration) {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    histogram.saturating_record(micros.clamp(1, LONGEST_US));
}

/// Adds all of `other`; both are made by [`histogram`].
pub fn merge(histogram: &mut Histogram<u64>, other: &Histogram<u64>) {
    // Same bounds on both sides, so every value fits.
    if histogram.add(other).is_err() {
        debug_assert!(false, "histograms of different bounds");
    }
}

/// How one request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Answered with success, and the answer is right: an event is durable, a balance is that of the account.
    Acknowledged,
    /// Answered with an error, or wrongly; the text is its kind, such as `http 503`.
    Failed(String),
    /// Sent, wholly or in part, and no answer came: it may or may not have been stored.
    Unanswered(String),
    /// Never sent, because there was no connection.
    NotSent(String),
}

/// Counts of requests; one thread's, or the sum of several.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The whole run, warm-up and the end included: what an audit compares with the database.
    pub whole: Counts,
    /// Requests that were answered inside the measured window.
    pub measured: Counts,
    /// Latency of the measured successes from the moment they were sent, microseconds.
    pub histogram: Histogram<u64>,
    /// The same from the moment they should have been sent; empty in a closed loop, which has none.
    pub from_intended: Histogram<u64>,
    /// Measured requests that were sent more than [`LATE`] after the moment they should have been.
    pub late: u64,
    /// Of requests with several events each: how the events ended.
    pub events: Option<Box<EventTally>>,
    /// Kinds of error and how often each came inside the measured window.
    pub errors: BTreeMap<String, u64>,
    /// The same over the whole run.
    pub errors_whole: BTreeMap<String, u64>,
}

/// How one event of several in a request ended, and how long after the sending of the request that was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventEnd {
    /// In which way.
    pub fate: RequestOutcome,
    /// When its outcome came; none where none did, or where it came with the answer to the request.
    pub latency: Option<Duration>,
}

/// How the events of requests with several ended.
#[derive(Clone, Debug)]
pub struct EventTally {
    /// The whole run: what an audit compares with the database.
    pub whole: Counts,
    /// Events whose request belongs to the measured window.
    pub measured: Counts,
    /// From the sending of the request to the outcome of the event, of the measured successes, microseconds.
    pub histogram: Histogram<u64>,
    /// Reasons, and how many measured events each had.
    pub errors: BTreeMap<String, u64>,
}

impl Default for EventTally {
    fn default() -> Self {
        Self {
            whole: Counts::default(),
            measured: Counts::default(),
            histogram: histogram(),
            errors: BTreeMap::new(),
        }
    }
}

/// Reasons that are told apart; a target may put an id into each.
const REASONS: usize = 100;

impl EventTally {
    fn settle(&mut self, part: Part, end: &EventEnd, request: Duration) {
        self.whole.add(&end.fate);
        if part != Part::Measured {
            return;
        }
        self.measured.add(&end.fate);
        match &end.fate {
            RequestOutcome::Acknowledged => {
                record(&mut self.histogram, end.latency.unwrap_or(request))
            }
            RequestOutcome::Failed(reason)
            | RequestOutcome::Unanswered(reason)
            | RequestOutcome::NotSent(reason) => {
                let known = self.errors.len() < REASONS || self.errors.contains_key(reason);
                let reason = if known { reason } else { "other reasons" };
                *self.errors.entry(reason.to_owned()).or_default() += 1;
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.whole.merge(other.whole);
        self.measured.merge(other.measured);
        merge(&mut self.histogram, &other.histogram);
        for (reason, count) in &other.errors {
            *self.errors.entry(reason.clone()).or_default() += count;
        }
    }
}

/// How many requests ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// See [`RequestOutcome::Acknowledged`].
    pub acknowledged: u64,
    /// See [`RequestOutcome::Failed`].
    pub failed: u64,
    /// See [`RequestOutcome::Unanswered`].
    pub unanswered: u64,
    /// See [`RequestOutcome::NotSent`].
    pub not_sent: u64,
}

impl Counts {
    /// Requests that were sent, wholly or in part.
    pub fn sent(&self) -> u64 {
        self.acknowledged + self.failed + self.unanswered
    }

    /// Sent and not acknowledged: the database may or may not hold them.
    pub fn in_doubt(&self) -> u64 {
        self.failed + self.unanswered
    }

    /// Requests that did not succeed, for whatever reason.
    pub fn errors(&self) -> u64 {
        self.failed + self.unanswered + self.not_sent
    }

    fn add(&mut self, fate: &RequestOutcome) {
        match fate {
            RequestOutcome::Acknowledged => self.acknowledged += 1,
            RequestOutcome::Failed(_) => self.failed += 1,
            RequestOutcome::Unanswered(_) => self.unanswered += 1,
            RequestOutcome::NotSent(_) => self.not_sent += 1,
        }
    }

    fn merge(&mut self, other: Counts) {
        self.acknowledged += other.acknowledged;
        self.failed += other.failed;
        self.unanswered += other.unanswered;
        self.not_sent += other.not_sent;
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            whole: Counts::default(),
            measured: Counts::default(),
            histogram: histogram(),
            from_intended: histogram(),
            late: 0,
            events: None,
            errors: BTreeMap::new(),
            errors_whole: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Counts a request that belongs to `part` of the run and ended after `latency`, in an open loop after
    /// `since_intended`.
    pub fn settle(
        &mut self,
        part: Part,
        fate: &RequestOutcome,
        latency: Duration,
        since_intended: Option<Duration>,
    ) {
        self.whole.add(fate);
        let measured = part == Part::Measured;
        if measured {
            self.measured.add(fate);
            let late = since_intended.is_some_and(|since| since.saturating_sub(latency) > LATE);
            self.late += u64::from(late);
        }
        match fate {
            RequestOutcome::Acknowledged if measured => {
                record(&mut self.histogram, latency);
                if let Some(since) = since_intended {
                    record(&mut self.from_intended, since);
                }
            }
            RequestOutcome::Acknowledged => {}
            RequestOutcome::Failed(kind)
            | RequestOutcome::Unanswered(kind)
            | RequestOutcome::NotSent(kind) => {
                *self.errors_whole.entry(kind.clone()).or_default() += 1;
                if measured {
                    *self.errors.entry(kind.clone()).or_default() += 1;
                }
            }
        }
    }

    /// Counts the events of a request that took `request`.
    pub fn settle_events(&mut self, part: Part, events: &[EventEnd], request: Duration) {
        let tally = self.events.get_or_insert_default();
        for event in events {
            tally.settle(part, event, request);
        }
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: &Tally) {
        if let Some(events) = &other.events {
            self.events.get_or_insert_default().merge(events);
        }
        self.whole.merge(other.whole);
        self.measured.merge(other.measured);
        self.late += other.late;
        merge(&mut self.histogram, &other.histogram);
        merge(&mut self.from_intended, &other.from_intended);
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        for (kind, count) in &other.errors_whole {
            *self.errors_whole.entry(kind.clone()).or_default() += count;
        }
    }
}

/// What a thread shares with the one that reports: its tally and its wire counters.
#[derive(Debug, Default)]
pub struct Lane {
    tally: Mutex<Tally>,
    /// Bytes and connections.
    pub wire: Arc<Wire>,
}

impl Lane {
    /// The tally. Locked by the lane's own thread for each request (uncontended: some ten nanoseconds)
    /// and by the reporting one once a second.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters of what went over the sockets, above TCP, whole run.
#[derive(Debug, Default)]
pub struct Wire {
    sent: AtomicU64,
    received: AtomicU64,
    connections: AtomicU64,
    replaced: AtomicU64,
}

/// [`Wire`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireCounts {
    /// Bytes written.
    pub sent: u64,
    /// Bytes read.
    pub received: u64,
    /// Connections opened since the start.
    pub connections: u64,
    /// Times that a request found its connection closed by the target while it was idle, and had a new one.
    pub replaced: u64,
}

impl Wire {
    /// Counts written bytes.
    pub fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts read bytes.
    pub fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts an opened connection.
    pub fn add_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that the target had closed while it was idle.
    pub fn add_replaced(&self) {
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    /// The counters now.
    pub fn read(&self) -> WireCounts {
        WireCounts {
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            replaced: self.replaced.load(Ordering::Relaxed),
        }
    }
}

impl std::iter::Sum for WireCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            sent: sum.sent + one.sent,
            received: sum.received + one.received,
            connections: sum.connections + one.connections,
            replaced: sum.replaced + one.replaced,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_measured_successes_enter_the_histogram() {
        let mut tally = Tally::default();
        let ms = Duration::from_millis(2);
        for (part, fate) in [
            (Part::WarmUp, RequestOutcome::Acknowledged),
            (Part::Measured, RequestOutcome::Acknowledged),
            (Part::Measured, RequestOutcome::Failed("http 503".into())),
            (Part::Over, RequestOutcome::Unanswered("timeout".into())),
        ] {
            tally.settle(part, &fate, ms, Some(2 * ms));
        }
        assert_eq!(tally.histogram.len(), 1);
        assert_eq!(tally.from_intended.len(), 1);
        assert!(tally.from_intended.max() > tally.histogram.max());
        assert_eq!(tally.whole.sent(), 4);
        assert_eq!(tally.whole.in_doubt(), 2);
        assert_eq!(
            tally.measured,
            Counts {
                acknowledged: 1,
                failed: 1,
                ..Counts::default()
            }
        );
        assert_eq!(tally.errors.len(), 1);
        assert_eq!(tally.errors_whole.len(), 2);
    }

    #[test]
    fn merge_adds_everything() {
        let mut one = Tally::default();
        let ms = Duration::from_millis(1);
        one.settle(Part::Measured, &RequestOutcome::Acknowledged, ms, None);
        one.settle(
            Part::Measured,
            &RequestOutcome::NotSent("connect".into()),
            ms,
            None,
        );
        let mut sum = one.clone();
        sum.merge(&one);
        assert_eq!(sum.histogram.len(), 2);
        assert_eq!(sum.measured.not_sent, 2);
        assert_eq!(sum.errors["connect"], 2);
        assert_eq!(sum.whole.sent(), 2);
    }
}
