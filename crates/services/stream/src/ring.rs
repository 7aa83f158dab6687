//! The latest events, shared by all subscribers.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::event::Event;

/// Memory that the events in the ring may take, in bytes, whatever their number.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The latest events in the order of their numbers, bounded in number and bytes. One publishes, all read.
#[derive(Debug)]
pub(crate) struct Ring {
    capacity: usize,
    held: RwLock<Held>,
    /// The last number published; a change wakes those who wait for more.
    head: watch::Sender<u64>,
}

#[derive(Debug)]
struct Held {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    head: u64,
}

/// What a subscriber finds after the event that it had last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Nothing new.
    UpToDate,
    /// The next events.
    Events,
    /// The next events are no longer held: read them from the database, up to this number for now.
    Behind(u64),
}

impl Ring {
    /// Empty. `head` is the last number given so far.
    pub(crate) fn new(capacity: usize, head: u64) -> Self {
        Self {
            capacity,
            held: RwLock::new(Held {
                events: VecDeque::new(),
                bytes: 0,
                head,
            }),
            head: watch::Sender::new(head),
        }
    }

    /// The greatest number of events held.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The last number published.
    pub(crate) fn head(&self) -> u64 {
        *self.head.borrow()
    }

    /// A receiver that sees each change of the head.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Adds the events that follow the head, up to the number `reached`.
    pub(crate) fn publish(&self, events: Vec<Event>, reached: u64) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            held.bytes += event.size_bytes();
            held.events.push_back(Arc::new(event));
        }
        while held.events.len() > self.capacity || held.bytes > MAX_BYTES {
            let Some(oldest) = held.events.pop_front() else {
                break;
            };
            held.bytes -= oldest.size_bytes();
        }
        held.head = reached;
        drop(held);
        self.head.send_replace(reached);
    }

    /// Moves the head without events: who wants them reads them from the database.
    pub(crate) fn skip_to(&self, head: u64) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.events.clear();
        held.bytes = 0;
        held.head = head;
        drop(held);
        self.head.send_replace(head);
    }

    /// Appends to `out` the events after the number `after`: at most `events`, and about `bytes`, but at least one.
    pub(crate) fn read(
        &self,
        after: u64,
        events: usize,
        bytes: usize,
        out: &mut Vec<Arc<Event>>,
    ) -> Read {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if after >= held.head {
            return Read::UpToDate;
        }
        let first = held
            .events
            .partition_point(|event| event.sequence() <= after);
        // Numbers have no gaps: where the next one is missing, it has been dropped.
        let next = held.events.get(first);
        if next.is_none_or(|next| next.sequence() != after + 1) {
            return Read::Behind(held.head);
        }
        let mut taken = 0;
        for event in held.events.iter().skip(first).take(events) {
            taken += event.transaction().text_bytes();
            out.push(Arc::clone(event));
            if taken >= bytes {
                break;
            }
        }
        Read::Events
    }
}

#[cfg(test)]
mod tests {
    use domain::{Timestamp, Transaction};

    use super::*;

    fn events(numbers: impl IntoIterator<Item = u64>) -> Vec<Event> {
        let event = |sequence: u64| {
            Event::new(
                sequence,
                3,
                Transaction {
                    tx_id: sequence.to_string(),
                    from_account: "a".into(),
                    to_account: "b".into(),
                    amount_tinybar: 1,
                    tx_type: "transfer".into(),
                    timestamp: Timestamp::from_micros(0),
                },
            )
        };
        numbers.into_iter().map(event).collect()
    }

    fn read(ring: &Ring, after: u64, limit: usize) -> (Read, Vec<u64>) {
        let mut out = Vec::new();
        let read = ring.read(after, limit, usize::MAX, &mut out);
        (read, out.iter().map(|event| event.sequence()).collect())
    }

    #[test]
    fn readers_go_on_where_they_were() {
        let ring = Ring::new(10, 5);
        assert_eq!(read(&ring, 5, 10), (Read::UpToDate, vec![]));
        assert_eq!(
            read(&ring, 9, 10),
            (Read::UpToDate, vec![]),
            "a number of the future"
        );
        ring.publish(events(6..=8), 8);
        assert_eq!(read(&ring, 5, 2), (Read::Events, vec![6, 7]));
        assert_eq!(read(&ring, 7, 2), (Read::Events, vec![8]));
        assert_eq!(read(&ring, 8, 2), (Read::UpToDate, vec![]));
        assert_eq!(
            read(&ring, 4, 2),
            (Read::Behind(8), vec![]),
            "5 was never held"
        );
        let mut out = Vec::new();
        ring.read(5, 10, 1, &mut out);
        assert_eq!(out.len(), 1, "one event, whatever its size");
    }

    #[test]
    fn the_oldest_are_dropped() {
        let ring = Ring::new(3, 0);
        ring.publish(events(1..=5), 5);
        assert_eq!(read(&ring, 1, 10), (Read::Behind(5), vec![]));
        assert_eq!(read(&ring, 2, 10), (Read::Events, vec![3, 4, 5]));
        ring.skip_to(9);
        assert_eq!(read(&ring, 5, 10), (Read::Behind(9), vec![]));
        assert_eq!(read(&ring, 9, 10), (Read::UpToDate, vec![]));
        ring.publish(events([10]), 10);
        assert_eq!(read(&ring, 8, 10), (Read::Behind(10), vec![]));
        assert_eq!(read(&ring, 9, 10), (Read::Events, vec![10]));
        assert_eq!(ring.held.read().expect("lock").events.len(), 1);
    }
}
