//! What a request comes to, the same for both faces.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::takhin::Record;
use domain::Event;
use usage_error::Usage;

use crate::config::{Config, Fault};
use crate::store::Store;

/// How late the fault `acknowledges-before-commit` commits.
const LATE: Duration = Duration::from_secs(1);

/// The state of a null target.
pub(crate) struct Work {
    pub(crate) fault: Fault,
    store: Option<Arc<Store>>,
    /// Requests that were answered with success; of streams the events sent.
    answered: AtomicU64,
    /// Events that were taken in.
    events: AtomicU64,
    /// Entries of chains and records of topics that nobody reads.
    appended: AtomicU64,
    /// Records of small topics, for the contract check: by topic and partition.
    topics: Mutex<HashMap<(String, i32), Vec<Record>>>,
}

/// Why an event was not taken in.
pub(crate) enum Refused {
    /// What is wrong with it.
    Invalid(String),
    /// It could not be stored.
    Failed(String),
}

/// Records of a topic that are kept; more are counted alone.
const KEPT: usize = 100;

impl Work {
    pub(crate) async fn new(config: &Config) -> anyhow::Result<Self> {
        let store = match (config.store, &config.database_url) {
            (false, _) => None,
            (true, Some(url)) => Some(Arc::new(Store::connect(url, config.fault).await?)),
            (true, None) => {
                return Err(
                    Usage::new("--store stores events in a database: set DATABASE_URL").into(),
                );
            }
        };
        Ok(Self {
            fault: config.fault,
            store,
            answered: AtomicU64::new(0),
            events: AtomicU64::new(0),
            appended: AtomicU64::new(0),
            topics: Mutex::default(),
        })
    }

    /// Takes an event in: checked, and stored where this is a target that stores.
    pub(crate) async fn take(
        &self,
        event: Result<Event, impl std::fmt::Display>,
    ) -> Result<(), Refused> {
        let event = event.map_err(|invalid| match self.fault {
            Fault::WrongStatus => Refused::Failed(invalid.to_string()),
            _ => Refused::Invalid(invalid.to_string()),
        })?;
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        if let Some(store) = &self.store {
            match self.fault {
                Fault::LosesOneInThousand if number % 1000 == 999 => {}
                Fault::AcknowledgesBeforeCommit => {
                    let store = Arc::clone(store);
                    // Nobody awaits it: that is the fault.
                    tokio::spawn(async move {
                        tokio::time::sleep(LATE).await;
                        store.put(&event).await.ok();
                    });
                }
                _ => store
                    .put(&event)
                    .await
                    .map_err(|error| Refused::Failed(error.to_string()))?,
            }
        }
        self.count(1);
        Ok(())
    }

    /// Counts what was answered.
    pub(crate) fn count(&self, more: u64) {
        self.answered.fetch_add(more, Ordering::Relaxed);
    }

    /// What was answered since the start.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// The number of an entry that is appended.
    pub(crate) fn append(&self) -> u64 {
        self.count(1);
        self.appended.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes a topic.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for partition in 0..partitions.max(1) {
            topics.insert((name.to_owned(), partition), Vec::new());
        }
    }

    /// Throws a topic away; true where it was there.
    pub(crate) fn delete_topic(&self, name: &str) -> bool {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let before = topics.len();
        topics.retain(|(topic, _), _| topic != name);
        topics.len() < before
    }

    /// Appends a record; none where there is no such topic.
    pub(crate) fn produce(&self, topic: &str, partition: i32, mut record: Record) -> Option<i64> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = topics.get_mut(&(topic.to_owned(), partition.max(0)))?;
        self.count(1);
        if kept.len() >= KEPT {
            return i64::try_from(self.appended.fetch_add(1, Ordering::Relaxed)).ok();
        }
        record.offset = i64::try_from(kept.len()).ok()?;
        record.partition = partition;
        if self.fault == Fault::DropsHeaders {
            record.headers.clear();
        }
        let offset = record.offset;
        kept.push(record);
        Some(offset)
    }

    /// The records that are kept of a partition.
    pub(crate) fn records(&self, topic: &str, partition: i32) -> Option<Vec<Record>> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.get(&(topic.to_owned(), partition)).cloned()
    }

    /// Numbers of a stream of `limit` events after `after`, as they are sent.
    pub(crate) fn sequences(&self, after: u64, limit: u64) -> impl Iterator<Item = u64> + use<> {
        let repeats = self.fault == Fault::RepeatsEvent;
        (after + 1..=after.saturating_add(limit)).flat_map(move |sequence| {
            let times = if repeats && sequence % 10 == 5 { 2 } else { 1 };
            std::iter::repeat_n(sequence, times)
        })
    }
}

/// The most events that one stream has: nobody wants an endless one of these.
pub(crate) const LONGEST_STREAM: u64 = 100_000;

/// The times of all answers: those of the seeded data.
pub(crate) const TIMESTAMP: &str = "2025-01-01T00:00:00Z";

/// The microseconds of now, for a stream's events.
pub(crate) fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(0))
}

/// A stream's limit: none asked for is the longest.
pub(crate) fn finite(limit: u64) -> u64 {
    match limit {
        0 => LONGEST_STREAM,
        some => some.min(LONGEST_STREAM),
    }
}
