//! Callers that wait until an event that Kafka has is merged. The sinks record their progress in the database, in the
//! transactions that merge. One task reads it for all callers, and only while there are any.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use events_kafka::{EventsTopic, Place};
use runtime::postgres::{Database, DatabaseError};
use runtime::wakeups::{Forwarded, gather};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::error::{IngestError, Outcome};
use crate::store::merged;

/// Pause between two reads of the sinks' progress, while a caller waits.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The same after a read that failed.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How long a read may take.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// Callers that wait. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    database: Database,
    sinks: merged::Sinks,
    waiting: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    callers: Mutex<Callers>,
    arrival: Notify,
}

#[derive(Debug, Default)]
struct Callers {
    /// By place; numbered, since nothing says that a place has one caller.
    by_place: BTreeMap<(Place, u64), oneshot::Sender<Outcome>>,
    arrived: u64,
}

/// A waiting caller. When it is dropped, the caller no longer waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    key: (Place, u64),
    outcome: oneshot::Receiver<Outcome>,
    waiting: Arc<Waiting>,
}

impl Waiting {
    fn callers(&self) -> MutexGuard<'_, Callers> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.callers().by_place.is_empty()
    }
}

impl Callers {
    /// The places of the events before `next` in `partition` for which callers wait.
    fn before(&self, partition: i32, next: i64) -> impl Iterator<Item = (Place, u64)> {
        let place = |offset| (Place { partition, offset }, 0);
        let reached = self.by_place.range(place(i64::MIN)..place(next));
        reached.map(|(key, _)| *key)
    }
}

impl Waiter {
    /// Waits until the event is merged, or until the deadline.
    ///
    /// # Errors
    /// [`IngestError::NotApplied`] at the deadline; [`IngestError::Refused`] for an event that became a dead letter.
    pub(crate) async fn merged(mut self, deadline: Instant) -> Outcome {
        let merged = timeout_at(deadline, Forwarded(&mut self.outcome)).await;
        match merged {
            Ok(outcome) => outcome.unwrap_or(Err(IngestError::Internal)),
            Err(_) => Err(IngestError::NotApplied),
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waiting.callers().by_place.remove(&self.key);
    }
}

impl Applied {
    /// What the sinks of `events` have merged into `database`.
    pub(crate) fn new(database: Database, events: &EventsTopic) -> Self {
        Self {
            database,
            sinks: merged::Sinks {
                group: events.sink_group.clone(),
                topic: events.events_topic.clone(),
            },
            waiting: Arc::default(),
        }
    }

    /// Begins to wait for the event at `place`.
    pub(crate) fn register(&self, place: Place) -> Waiter {
        let (sender, outcome) = oneshot::channel();
        let mut callers = self.waiting.callers();
        callers.arrived += 1;
        let key = (place, callers.arrived);
        callers.by_place.insert(key, sender);
        drop(callers);
        self.waiting.arrival.notify_one();
        Waiter {
            key,
            outcome,
            waiting: Arc::clone(&self.waiting),
        }
    }

    /// Reads the sinks' progress until the stop.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        let mut failing = false;
        let mut look = async || self.look_once(&mut failing).await;
        while stop.run_until_cancelled(look()).await.is_some() {}
    }

    /// One read, as soon as a caller waits, and the pause after it. Of consecutive failures only the first is logged.
    async fn look_once(&self, failing: &mut bool) {
        while self.waiting.is_empty() {
            self.waiting.arrival.notified().await;
        }
        let looked = timeout(LOOK_WITHIN, self.look()).await;
        let looked = looked.unwrap_or(Err(DatabaseError::NoAnswer { limit: LOOK_WITHIN }));
        let pause = match looked {
            Ok(()) => {
                *failing = false;
                LOOK_EVERY
            }
            Err(error) => {
                self.database.note(&error);
                // Callers are told at their deadline. Health speaks of Kafka, which takes the events.
                if !std::mem::replace(failing, true) {
                    tracing::warn!(error = %error.chain(), "how far the sinks are cannot be read: trying again");
                }
                RETRY_AFTER
            }
        };
        tokio::time::sleep(pause).await;
    }

    /// Answers the callers whose events are merged by now.
    async fn look(&self) -> Result<(), DatabaseError> {
        let client = self.database.connection().await?;
        let looked = async {
            let next = merged::next_offsets(&client, &self.sinks).await?;
            let reached: Vec<(Place, u64)> = {
                let callers = self.waiting.callers();
                let of = |(partition, next): &(i32, i64)| callers.before(*partition, *next);
                next.iter().flat_map(of).collect()
            };
            if reached.is_empty() {
                return Ok((reached, Vec::new()));
            }
            // After the offsets: a dead letter is noted in the transaction that moves them.
            let places = reached.iter().map(|(place, _)| *place);
            let dead = merged::dead_letters(&client, &self.sinks, places).await?;
            Ok((reached, dead))
        };
        let looked = looked.await;
        client.give_back_after(&looked);
        let (reached, dead) = looked?;
        let mut callers = self.waiting.callers();
        gather(|| {
            for key in reached {
                let Some(caller) = callers.by_place.remove(&key) else {
                    continue;
                };
                let outcome = match dead.contains(&key.0) {
                    true => Err(IngestError::Refused),
                    false => Ok(()),
                };
                // A caller that has left is not an error.
                drop(caller.send(outcome));
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(partition: i32, offset: i64) -> Place {
        Place { partition, offset }
    }

    #[test]
    fn those_before_the_next_offset_of_their_partition_are_reached() {
        let mut callers = Callers::default();
        for (number, key) in (1..).zip([place(0, 4), place(0, 5), place(0, 4), place(1, 0)]) {
            let (sender, _) = oneshot::channel();
            callers.by_place.insert((key, number), sender);
        }
        let reached = |partition, next| -> Vec<_> { callers.before(partition, next).collect() };
        assert!(reached(0, 4).is_empty());
        assert_eq!(reached(0, 5), [(place(0, 4), 1), (place(0, 4), 3)]);
        assert_eq!(reached(1, 9), [(place(1, 0), 4)]);
        assert!(reached(2, 9).is_empty());
    }
}
