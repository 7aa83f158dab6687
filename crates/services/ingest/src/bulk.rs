//! A bulk request: its outcomes, and which writer each of its events goes to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::{EntityUpdate, Event};
use tokio::sync::Notify;

use crate::error::Outcome;

/// The outcomes of the events of one request. Its sender is woken once, by the last of them.
#[derive(Debug)]
pub(crate) struct Bulk {
    outcomes: Mutex<Outcomes>,
    complete: Notify,
    /// Whether the sender has left.
    is_left: AtomicBool,
}

#[derive(Debug)]
struct Outcomes {
    /// By the place of the event in the request.
    of_each: Vec<Option<Outcome>>,
    missing: usize,
}

impl Bulk {
    pub(crate) fn new(events: usize) -> Self {
        Self {
            outcomes: Mutex::new(Outcomes {
                of_each: vec![None; events],
                missing: events,
            }),
            complete: Notify::new(),
            is_left: AtomicBool::new(false),
        }
    }

    /// Notes the outcome of an event; the first one counts.
    pub(crate) fn answer(&self, place: usize, outcome: Outcome) {
        let mut outcomes = self.outcomes();
        let Outcomes { of_each, missing } = &mut *outcomes;
        if let Some(free @ None) = of_each.get_mut(place) {
            *free = Some(outcome);
            *missing -= 1;
            if *missing == 0 {
                self.complete.notify_one();
            }
        }
    }

    /// Whether the sender still waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.is_left.load(Ordering::Acquire)
    }

    /// Waits until every event has its outcome.
    pub(crate) async fn complete(&self) {
        if self.outcomes().missing > 0 {
            self.complete.notified().await;
        }
    }

    /// The sender leaves with what is known: `None` for an event without an outcome.
    pub(crate) fn leave(&self) -> Vec<Option<Outcome>> {
        self.is_left.store(true, Ordering::Release);
        std::mem::take(&mut self.outcomes().of_each)
    }

    fn outcomes(&self) -> MutexGuard<'_, Outcomes> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of the `writers` each event of one sender goes to, by its first key: then writers share the work of one request.
/// Events that have a key in common go to one writer, since they are applied in the order submitted.
pub(crate) fn spread<'a>(
    events: impl ExactSizeIterator<Item = &'a Event> + Clone,
    writers: usize,
    hash: impl Fn(&EntityUpdate) -> u64,
) -> Vec<usize> {
    let writer_of = |hash| writer_of(hash, writers);
    let one_key = |event: &Event| event.entities().len() <= 1;
    if events.clone().all(one_key) {
        // The same key has the same hash.
        return events
            .map(|event| {
                event
                    .entities()
                    .first()
                    .map_or(0, |one| writer_of(hash(one)))
            })
            .collect();
    }
    // Sets of events that share keys, as a forest: each event knows one before it in its set, or itself.
    let mut before: Vec<usize> = (0..events.len()).collect();
    let mut first_with: HashMap<u64, usize> = HashMap::new();
    let mut key_of: Vec<u64> = Vec::with_capacity(events.len());
    for (place, event) in events.enumerate() {
        let mut keys = event.entities().iter().map(&hash).peekable();
        key_of.push(keys.peek().copied().unwrap_or_default());
        for key in keys {
            let other = *first_with.entry(key).or_insert(place);
            let (mine, theirs) = (first_of(&mut before, place), first_of(&mut before, other));
            before[mine.max(theirs)] = mine.min(theirs);
        }
    }
    (0..before.len())
        .map(|place| writer_of(key_of[first_of(&mut before, place)]))
        .collect()
}

/// The writer that owns a key with this hash.
pub(crate) fn writer_of(hash: u64, writers: usize) -> usize {
    // The upper half: the lower bits of a hash are what hash tables use.
    (hash >> 32) as usize % writers
}

/// The first event of the set that `place` is in.
fn first_of(before: &mut [usize], mut place: usize) -> usize {
    while before[place] != place {
        before[place] = before[before[place]];
        place = before[place];
    }
    place
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::fast::FixedState;
    use proptest::prelude::*;

    use super::*;

    fn event(ids: &[u8]) -> Event {
        let entities: Vec<String> = ids
            .iter()
            .map(|id| {
                format!(r#"{{"entityType":"Car","entityId":"{id}","updatedAttributes":{{}}}}"#)
            })
            .collect();
        let text = format!(
            r#"{{"eventHeader":{{"eventName":"Test"}},"eventBody":{{"entities":[{}]}}}}"#,
            entities.join(",")
        );
        Event::from_json(text.as_bytes()).expect("a valid event")
    }

    fn spread_over(events: &[Event], writers: usize) -> Vec<usize> {
        let hasher = FixedState::default();
        spread(events.iter(), writers, |entity| {
            hasher.hash_one(entity.entity_id())
        })
    }

    proptest! {
        #[test]
        fn events_that_share_a_key_share_a_writer(
            ids in prop::collection::vec(prop::collection::vec(0u8..60, 1..4), 1..60),
            writers in 1usize..5,
        ) {
            let events: Vec<Event> = ids.iter().map(|ids| event(ids)).collect();
            let spread = spread_over(&events, writers);
            prop_assert_eq!(spread.len(), ids.len());
            for (one, of_one) in ids.iter().zip(&spread) {
                prop_assert!(*of_one < writers);
                for (other, of_other) in ids.iter().zip(&spread) {
                    if one.iter().any(|id| other.contains(id)) {
                        prop_assert_eq!(of_one, of_other);
                    }
                }
            }
        }
    }

    #[test]
    fn a_request_over_many_keys_is_shared_by_the_writers() {
        for more in [&[][..], &[200, 201]] {
            let mut events: Vec<Event> = (0..200).map(|id| event(&[id])).collect();
            events.extend((!more.is_empty()).then(|| event(more)));
            let spread = spread_over(&events, 2);
            let first = spread.iter().filter(|writer| **writer == 0).count();
            assert!((60..140).contains(&first), "{first}");
        }
    }

    #[tokio::test]
    async fn the_sender_is_woken_when_all_are_answered_and_each_counts_once() {
        let bulk = Bulk::new(2);
        bulk.answer(1, Ok(()));
        bulk.answer(1, Err(crate::IngestError::Timeout));
        bulk.answer(7, Ok(()));
        let waiting = tokio::time::timeout(std::time::Duration::ZERO, bulk.complete());
        assert!(waiting.await.is_err(), "the first has no outcome");
        bulk.answer(0, Err(crate::IngestError::QueueFull));
        bulk.complete().await;
        assert!(bulk.is_waiting());
        let known = bulk.leave();
        assert_eq!(
            known,
            [Some(Err(crate::IngestError::QueueFull)), Some(Ok(()))]
        );
        assert!(!bulk.is_waiting());
        bulk.answer(0, Ok(()));
    }
}
