//! Where live streams begin: each with the first event that was not visible yet when its request arrived.
//!
//! A subscriber that asks for live events brings a snapshot of the database. Which number its first event has is not known
//! then: rows that the snapshot sees may get their numbers later, a million of them while a table is numbered for the first
//! time. So subscribers wait here, and the feed, which passes all numbers once, tells each of them its first. No subscriber
//! walks through what is not its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::Event;
use crate::snapshot::Snapshot;

/// Consecutive numbers of one database transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The database transaction's id.
    pub(crate) written_in: u64,
    /// Its first number.
    pub(crate) first: u64,
}

/// The runs of `events`, which are in the order of their numbers.
pub(crate) fn runs(events: &[Event]) -> Vec<Run> {
    let runs = events.chunk_by(|one, next| one.written_in() == next.written_in());
    runs.filter_map(<[Event]>::first)
        .map(|event| Run {
            written_in: event.written_in(),
            first: event.sequence(),
        })
        .collect()
}

/// The live subscribers that have no first event yet. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    seen: Arc<Snapshot>,
    next: u64,
    /// By a number in the order of arrival.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    /// Not later than its snapshot.
    since: Arc<Snapshot>,
    place: Place,
    /// The number of its first event, 0 until it is known.
    first: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Place {
    /// Its snapshot is still being taken. Holds what is published meanwhile.
    Arriving(Vec<Arc<[Run]>>),
    /// It waits for the first event that this did not see.
    Arrived(Snapshot),
}

impl Arrivals {
    /// None yet. `seen` is a snapshot that was taken before.
    pub(crate) fn new(seen: Snapshot) -> Self {
        Self(Arc::new(Mutex::new(State {
            seen: Arc::new(seen),
            next: 0,
            waiting: BTreeMap::new(),
        })))
    }

    /// Adds a subscriber. Its snapshot must be taken after this call.
    pub(crate) fn enter(&self) -> Arrival {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        let first = Arc::default();
        let waiting = Waiting {
            since: Arc::clone(&state.seen),
            place: Place::Arriving(Vec::new()),
            first: Arc::clone(&first),
        };
        state.waiting.insert(number, waiting);
        Arrival {
            arrivals: self.clone(),
            number,
            first,
        }
    }

    /// Notes a snapshot that was taken before this call: all that are taken from now on are not earlier.
    pub(crate) fn saw(&self, snapshot: Snapshot) {
        self.state().seen = Arc::new(snapshot);
    }

    /// A snapshot that is not later than that of any subscriber that waits; `None` while nobody does. A transaction that it
    /// saw ended begins nobody's stream.
    pub(crate) fn oldest(&self) -> Option<Arc<Snapshot>> {
        let state = self.state();
        let (_, oldest) = state.waiting.first_key_value()?;
        Some(Arc::clone(&oldest.since))
    }

    /// Tells whoever waits for one of `runs`, which are in the order of their numbers. To be called before these numbers
    /// are published, with no number left out that may begin a stream.
    pub(crate) fn pass(&self, runs: Vec<Run>) {
        let mut state = self.state();
        if runs.is_empty() || state.waiting.is_empty() {
            return;
        }
        let runs: Arc<[Run]> = runs.into();
        state.waiting.retain(|_, waiting| match &mut waiting.place {
            Place::Arriving(missed) => {
                missed.push(Arc::clone(&runs));
                true
            }
            Place::Arrived(snapshot) => match first_after(snapshot, &runs) {
                Some(first) => {
                    waiting.first.store(first, Ordering::Release);
                    false
                }
                None => true,
            },
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A live subscriber until its first event is known.
#[derive(Debug)]
pub(crate) struct Arrival {
    arrivals: Arrivals,
    number: u64,
    first: Arc<AtomicU64>,
}

impl Arrival {
    /// Notes what the subscriber's snapshot is.
    pub(crate) fn arrived(&self, snapshot: Snapshot) {
        let mut state = self.arrivals.state();
        let Some(waiting) = state.waiting.get_mut(&self.number) else {
            return;
        };
        if let Place::Arriving(missed) = &waiting.place {
            let first = missed.iter().find_map(|runs| first_after(&snapshot, runs));
            if let Some(first) = first {
                waiting.first.store(first, Ordering::Release);
                state.waiting.remove(&self.number);
            } else {
                waiting.place = Place::Arrived(snapshot);
            }
        }
    }

    /// The number of the first event, once it is published.
    pub(crate) fn first(&self) -> Option<u64> {
        Some(self.first.load(Ordering::Acquire)).filter(|first| *first > 0)
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.arrivals.state().waiting.remove(&self.number);
    }
}

/// The first number that `snapshot` did not see. What follows it became visible later, as it was given its number later.
fn first_after(snapshot: &Snapshot, runs: &[Run]) -> Option<u64> {
    let unseen = |run: &&Run| !snapshot.had_ended(run.written_in);
    runs.iter().find(unseen).map(|run| run.first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        text.parse().expect("a snapshot")
    }

    fn run(written_in: u64, first: u64) -> Run {
        Run { written_in, first }
    }

    #[test]
    fn a_stream_begins_with_what_its_snapshot_did_not_see() {
        let arrivals = Arrivals::new(snapshot("5:5:"));
        let one = arrivals.enter();
        one.arrived(snapshot("10:20:10,14"));
        // A backlog that was there, in whatever order.
        arrivals.pass(vec![run(3, 1), run(9, 1_000_000), run(12, 1_000_001)]);
        assert_eq!(one.first(), None);
        arrivals.pass(vec![
            run(19, 1_000_002),
            run(14, 1_000_003),
            run(20, 1_000_005),
        ]);
        assert_eq!(one.first(), Some(1_000_003));
        arrivals.pass(vec![run(21, 1_000_006)]);
        assert_eq!(one.first(), Some(1_000_003));
    }

    #[test]
    fn what_is_published_while_a_snapshot_is_taken_counts() {
        let arrivals = Arrivals::new(snapshot("5:5:"));
        let (early, late) = (arrivals.enter(), arrivals.enter());
        arrivals.pass(vec![run(5, 1), run(6, 2)]);
        arrivals.pass(vec![run(7, 3)]);
        early.arrived(snapshot("7:7:"));
        late.arrived(snapshot("8:8:"));
        assert_eq!(early.first(), Some(3));
        assert_eq!(late.first(), None);
        arrivals.pass(vec![run(8, 4)]);
        assert_eq!(late.first(), Some(4));
    }

    #[test]
    fn the_oldest_is_told_and_who_leaves_is_forgotten() {
        let arrivals = Arrivals::new(snapshot("5:5:"));
        assert_eq!(arrivals.oldest(), None);
        let one = arrivals.enter();
        arrivals.saw(snapshot("9:9:"));
        let two = arrivals.enter();
        assert_eq!(arrivals.oldest().as_deref(), Some(&snapshot("5:5:")));
        drop(one);
        assert_eq!(arrivals.oldest().as_deref(), Some(&snapshot("9:9:")));
        two.arrived(snapshot("9:9:"));
        arrivals.pass(vec![run(9, 1)]);
        assert_eq!(arrivals.oldest(), None);
        drop(two);
    }
}
