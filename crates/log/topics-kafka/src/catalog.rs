//! Which topics there are, as far as Kafka was asked lately: producing looks it up for each record.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use topics::TopicsError;

/// Producers learn of partitions that were added within this time. A topic that is gone they learn of from the broker.
pub(crate) const FOR_PRODUCERS: Duration = Duration::from_secs(30);
/// Readers learn of a topic's end within this time.
pub(crate) const FOR_READERS: Duration = Duration::from_secs(1);

/// Numbers of partitions by topic, each with the time when it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Catalog(Mutex<HashMap<String, (u32, Instant)>>);

impl Catalog {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (u32, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of partitions, if it is known and not older than `age`.
    pub(crate) fn known(&self, topic: &str, age: Duration) -> Option<u32> {
        let (partitions, asked) = *self.lock().get(topic)?;
        (asked.elapsed() <= age).then_some(partitions)
    }

    /// Notes what Kafka answered now.
    pub(crate) fn note(&self, topic: &str, partitions: u32) {
        let known = (partitions, Instant::now());
        self.lock().insert(topic.to_owned(), known);
    }

    /// Asks anew the next time.
    pub(crate) fn forget(&self, topic: &str) {
        self.lock().remove(topic);
    }
}

/// The partition as a number below `partitions`.
pub(crate) fn in_range(topic: &str, partition: i64, partitions: u32) -> Result<u32, TopicsError> {
    let number = u32::try_from(partition).ok();
    let number = number.filter(|number| *number < partitions);
    number.ok_or_else(|| TopicsError::NoSuchPartition {
        topic: topic.to_owned(),
        partition,
        partitions,
    })
}
