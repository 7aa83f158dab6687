//! Events that wait for rows that other transactions have locked. They wait here, beside the batches, so that only the
//! callers of a locked entity wait for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::time::Duration;

use domain::{EntityUpdate, Event};
use foldhash::fast::FixedState;
use runtime::postgres::Cause;
use tokio::time::Instant;

use crate::caller::Waiting;
use crate::error::IngestError;
use crate::queue::Place;

#[cfg(test)]
mod tests;

/// First pause of an event that is tried by itself; it doubles with each try.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause of an event that is tried by itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The parked events of one writer, in the order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    events: BTreeMap<u64, Entry>,
    next: u64,
    /// How many parked events name a key. Keys stand here by their hashes: two of the same hash would only wait for
    /// each other.
    named: HashMap<u64, usize>,
    /// The named keys whose rows are known to be locked.
    locked: HashSet<u64>,
    /// Why the last look for freed rows failed.
    look_failed: Option<Cause>,
    hasher: FixedState,
}

/// A parked event.
#[derive(Debug)]
struct Entry {
    waiting: Waiting,
    /// Its room in the queue; `None` if there was none.
    place: Option<Place>,
    /// Why it waits; its caller gets this as the error at the deadline.
    cause: Cause,
    /// None of its rows is known to be locked, and still it failed: it is tried by itself, after this pause, from this
    /// moment on.
    alone: Option<(Duration, Instant)>,
}

/// The position, among the parked events, of one that is being tried by itself.
#[derive(Debug)]
pub(crate) struct Turn {
    number: u64,
    place: Option<Place>,
    pause: Duration,
}

impl Parked {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether an event has to wait here too: one of its rows is known to be locked, or an event before it on its lane
    /// waits and shares a row with it, so that it must not overtake.
    pub(crate) fn holds(&self, waiting: &Waiting) -> bool {
        if self.named.is_empty() && self.locked.is_empty() {
            return false;
        }
        let keys = self.keys_of(&waiting.event);
        if keys.iter().any(|key| self.locked.contains(key)) {
            return true;
        }
        // All parked events are searched only for an event of a lane, and only if a parked event names the same row.
        waiting.caller.is_on_lane()
            && keys.iter().any(|key| self.named.contains_key(key))
            && self.events.values().any(|entry| {
                entry.waiting.caller.shares_lane(&waiting.caller)
                    && shares_key(&entry.waiting.event, &waiting.event)
            })
    }

    /// Records rows that are locked; the caller must park the events that name them.
    pub(crate) fn lock<'a>(&mut self, keys: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let hasher = self.hasher.clone();
        self.locked
            .extend(keys.into_iter().map(|key| hasher.hash_one(key)));
    }

    /// Parks an event until its rows are free.
    pub(crate) fn park(&mut self, waiting: Waiting, place: Option<Place>) {
        self.add(Entry {
            waiting,
            place,
            cause: Cause::Locked,
            alone: None,
        });
    }

    /// Parks an event that failed although none of its rows is known to be locked: another transaction is inserting
    /// the row, or the event met a conflict.
    pub(crate) fn park_alone(
        &mut self,
        waiting: Waiting,
        place: Option<Place>,
        cause: Cause,
        now: Instant,
    ) {
        self.add(Entry {
            waiting,
            place,
            cause,
            alone: Some((FIRST_PAUSE, now + FIRST_PAUSE)),
        });
    }

    fn add(&mut self, entry: Entry) {
        let number = self.next;
        self.next += 1;
        self.put_back(number, entry);
    }

    /// Puts back what [`Self::next_alone`] gave, for a later try.
    pub(crate) fn failed_again(
        &mut self,
        waiting: Waiting,
        turn: Turn,
        cause: Cause,
        now: Instant,
    ) {
        let pause = (turn.pause * 2).min(LONGEST_PAUSE);
        let entry = Entry {
            waiting,
            place: turn.place,
            cause,
            alone: Some((pause, now + pause)),
        };
        self.put_back(turn.number, entry);
    }

    fn put_back(&mut self, number: u64, entry: Entry) {
        for key in self.keys_of(&entry.waiting.event) {
            *self.named.entry(key).or_default() += 1;
        }
        self.events.insert(number, entry);
    }

    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.events.remove(&number)?;
        for key in self.keys_of(&entry.waiting.event) {
            if let Some(events) = self.named.get_mut(&key) {
                *events -= 1;
                if *events == 0 {
                    self.named.remove(&key);
                    self.locked.remove(&key);
                }
            }
        }
        Some(entry)
    }

    /// Records whether the last look for freed rows failed, and why: callers get that as the error at their deadline.
    pub(crate) fn look_failed(&mut self, cause: Option<Cause>) {
        self.look_failed = cause;
    }

    /// Answers callers whose deadline has passed, and drops events whose caller is gone.
    pub(crate) fn expire(&mut self, now: Instant) {
        let look_failed = self.look_failed;
        let ended: Vec<u64> = self
            .events
            .iter_mut()
            .filter_map(|(number, entry)| {
                let reason = IngestError::Database(look_failed.unwrap_or(entry.cause));
                (!entry.waiting.caller.expire(now, &reason)).then_some(*number)
            })
            .collect();
        for number in ended {
            drop(self.remove(number));
        }
    }

    /// The keys that events wait for, each once, sorted.
    pub(crate) fn keys(&self) -> Vec<(String, String)> {
        let together = self.events.values().filter(|entry| entry.alone.is_none());
        let entities = together.flat_map(|entry| entry.waiting.event.entities());
        let keys: BTreeSet<(&str, &str)> = entities.map(key).collect();
        keys.into_iter()
            .map(|(entity_type, id)| (entity_type.to_owned(), id.to_owned()))
            .collect()
    }

    /// `locked` of the keys asked about are locked; the others are free. Returns the events, at most `limit`, that may be
    /// written now, in order.
    pub(crate) fn freed(
        &mut self,
        asked: &[(String, String)],
        locked: &[bool],
        limit: usize,
    ) -> Vec<Waiting> {
        let mut free = HashSet::new();
        for ((entity_type, id), locked) in asked.iter().zip(locked) {
            let key = self.hasher.hash_one((entity_type.as_str(), id.as_str()));
            if *locked {
                self.locked.insert(key);
            } else {
                self.locked.remove(&key);
                free.insert(key);
            }
        }
        let mut freed: Vec<u64> = Vec::new();
        let mut staying = Staying::default();
        for (number, entry) in &self.events {
            let keys = self.keys_of(&entry.waiting.event);
            let may_go = freed.len() < limit
                && entry.alone.is_none()
                && keys.iter().all(|key| free.contains(key))
                && !staying.is_overtaken(entry, &keys);
            if may_go {
                freed.push(*number);
            } else {
                staying.add(entry, keys);
            }
        }
        freed
            .into_iter()
            .filter_map(|number| Some(self.remove(number)?.waiting))
            .collect()
    }

    /// The next event that is to be tried by itself. It is no longer parked.
    pub(crate) fn next_alone(&mut self, now: Instant) -> Option<(Waiting, Turn)> {
        let mut staying = Staying::default();
        let mut due = None;
        for (number, entry) in &self.events {
            let keys = self.keys_of(&entry.waiting.event);
            let is_due = entry.alone.is_some_and(|(_, at)| at <= now);
            if is_due && !staying.is_overtaken(entry, &keys) {
                due = Some(*number);
                break;
            }
            staying.add(entry, keys);
        }
        let number = due?;
        let Entry {
            waiting,
            place,
            alone,
            ..
        } = self.remove(number)?;
        let turn = Turn {
            number,
            place,
            pause: alone.map_or(FIRST_PAUSE, |(pause, _)| pause),
        };
        Some((waiting, turn))
    }

    /// Takes all events, to answer them.
    pub(crate) fn take_all(&mut self) -> Vec<Waiting> {
        self.named.clear();
        self.locked.clear();
        let events = std::mem::take(&mut self.events);
        events.into_values().map(|entry| entry.waiting).collect()
    }

    fn keys_of(&self, event: &Event) -> Vec<u64> {
        let mut keys: Vec<u64> = event
            .entities()
            .iter()
            .map(|entity| self.hasher.hash_one(key(entity)))
            .collect();
        // An entity may be named twice in one event.
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// Events that stay parked, by key: what comes after them on their lane and shares a row must stay too.
#[derive(Default)]
struct Staying<'a>(HashMap<u64, Vec<&'a Entry>>);

impl<'a> Staying<'a> {
    fn is_overtaken(&self, entry: &Entry, keys: &[u64]) -> bool {
        keys.iter()
            .filter_map(|key| self.0.get(key))
            .flatten()
            .any(|before| before.waiting.caller.shares_lane(&entry.waiting.caller))
    }

    fn add(&mut self, entry: &'a Entry, keys: Vec<u64>) {
        if entry.waiting.caller.is_on_lane() {
            for key in keys {
                self.0.entry(key).or_default().push(entry);
            }
        }
    }
}

/// Whether two events name the same entity.
pub(crate) fn shares_key(one: &Event, other: &Event) -> bool {
    one.entities().iter().any(|entity| {
        other
            .entities()
            .iter()
            .any(|other| key(entity) == key(other))
    })
}

pub(crate) fn key(entity: &EntityUpdate) -> (&str, &str) {
    (entity.entity_type(), entity.entity_id())
}
