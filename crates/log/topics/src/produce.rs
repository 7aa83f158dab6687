//! Producing through the handle: one record at a time, or many in flight.

use std::sync::Arc;
use std::time::Duration;

use domain::Invalid;

use super::handle::Topics;
use super::record::{MAX_RECORD_BYTES, NewRecord, Produced};
use crate::appender::{Appended, Appender, Records};
use crate::error::TopicsError;
use crate::topic::{Partition, Topic};
use group_commit::Durability;
use group_commit::Pending;

impl Topics {
    /// Appends one record to `partition` (-1: by the key's hash, else round robin) and waits on this thread, which must not be
    /// one that runs tasks.
    ///
    /// # Errors
    /// The record breaks a rule, there is no such topic or partition, or it cannot be written.
    pub fn produce_blocking(
        &self,
        topic: &str,
        partition: i64,
        record: NewRecord,
        durability: Durability,
    ) -> Result<Produced, TopicsError> {
        check(&record)?;
        let topic = self.catalog().get(topic)?;
        let partition = topic.partition_for(partition, &record.key)?;
        let timestamp = record.timestamp;
        let appended = partition.append_blocking(Records::One(record), durability)?;
        Ok(produced(partition.number(), appended, 0, timestamp))
    }

    /// The same for tasks, for at most `timeout` where the record is to be synced.
    ///
    /// # Errors
    /// The same, and [`TopicsError::Timeout`].
    pub async fn produce(
        &self,
        topic: &str,
        partition: i64,
        record: NewRecord,
        durability: Durability,
        timeout: Duration,
    ) -> Result<Produced, TopicsError> {
        let submitted = self.submit(topic, vec![(partition, record)], durability)?;
        let produced = tokio::time::timeout(timeout, submitted.produced()).await;
        let mut produced = produced.map_err(|_| TopicsError::Timeout)??;
        produced.pop().ok_or(TopicsError::Internal)
    }

    /// Appends several records to one topic, each to the partition given or chosen. Checks all before the first is written.
    ///
    /// # Errors
    /// As [`produce`](Self::produce); of the records' own faults, that of the first one.
    pub async fn produce_all(
        &self,
        topic: &str,
        records: Vec<(i64, NewRecord)>,
        durability: Durability,
        timeout: Duration,
    ) -> Result<Vec<Produced>, TopicsError> {
        let submitted = self.submit(topic, records, durability)?;
        let produced = tokio::time::timeout(timeout, submitted.produced()).await;
        produced.map_err(|_| TopicsError::Timeout)?
    }

    /// Puts records behind those that wait, in their order. The order of calls is the order in each partition.
    fn submit(
        &self,
        topic: &str,
        records: Vec<(i64, NewRecord)>,
        durability: Durability,
    ) -> Result<Submitted, TopicsError> {
        let destination = self.destination(topic)?;
        let mut placed = Vec::with_capacity(records.len());
        for (partition, record) in records {
            placed.push((destination.place(partition, &record)?, record));
        }
        Ok(destination.submit(placed, durability))
    }

    /// Puts records behind those that wait, now; the future gives what became of each. One that breaks a rule is refused alone.
    pub(crate) fn submit_each(
        &self,
        topic: &str,
        records: Vec<(i64, NewRecord)>,
        durability: Durability,
    ) -> impl Future<Output = Vec<Result<Produced, TopicsError>>> + Send + 'static {
        let count = records.len();
        let destination = self.destination(topic);
        // Of each record: nothing where it is submitted, else why not.
        let mut refused = Vec::with_capacity(count);
        let submitted = destination.map(|destination| {
            let mut placed = Vec::with_capacity(count);
            for (partition, record) in records {
                let place = destination.place(partition, &record);
                refused.push(
                    place
                        .map(|partition| placed.push((partition, record)))
                        .err(),
                );
            }
            destination.submit(placed, durability)
        });
        async move {
            let submitted = match submitted {
                Ok(submitted) => submitted,
                Err(error) => return vec![Err(error); count],
            };
            let mut done = submitted.each().await.into_iter();
            let outcomes = refused.into_iter().map(|refusal| match refusal {
                Some(error) => Err(error),
                None => done.next().unwrap_or(Err(TopicsError::Internal)),
            });
            outcomes.collect()
        }
    }

    /// Where records for a topic can go.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn destination(&self, topic: &str) -> Result<Destination, TopicsError> {
        Ok(Destination(self.catalog().get(topic)?))
    }
}

/// A topic to produce to.
#[derive(Clone, Debug)]
pub struct Destination(Arc<Topic>);

impl Destination {
    /// The topic's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The partition for a record that keeps the rules.
    ///
    /// # Errors
    /// It breaks one, or there is no such partition.
    pub fn place(&self, partition: i64, record: &NewRecord) -> Result<u32, TopicsError> {
        check(record)?;
        Ok(self.0.partition_for(partition, &record.key)?.number())
    }

    /// Submits records, each with its partition from [`place`](Self::place).
    pub fn submit(self, records: Vec<(u32, NewRecord)>, durability: Durability) -> Submitted {
        Submitted::new(self.0, records, durability)
    }
}

/// Checks what holds for a record whatever its topic.
///
/// # Errors
/// A negative timestamp; too large.
pub fn check(record: &NewRecord) -> Result<(), TopicsError> {
    if record.timestamp < 0 {
        return Err(Invalid::new("record.timestamp", "must not be negative").into());
    }
    let bytes = record.content_bytes();
    if bytes > MAX_RECORD_BYTES {
        return Err(TopicsError::RecordTooLarge {
            bytes,
            most: MAX_RECORD_BYTES,
        });
    }
    Ok(())
}

fn produced(partition: u32, appended: Appended, at: u64, timestamp: i64) -> Produced {
    Produced {
        partition,
        offset: Some(appended.first + at),
        timestamp: if timestamp == 0 {
            appended.time
        } else {
            timestamp
        },
    }
}

/// Records of one topic that are submitted: one append for each partition, and where each record is in it.
#[derive(Debug)]
pub struct Submitted {
    topic: Arc<Topic>,
    parts: Vec<Part>,
    /// Of each record: which part, its place there, its own timestamp.
    places: Vec<(usize, u64, i64)>,
}

struct Part {
    partition: u32,
    state: Result<Pending<Appender>, TopicsError>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

impl Submitted {
    /// Each partition must be there.
    fn new(topic: Arc<Topic>, records: Vec<(u32, NewRecord)>, durability: Durability) -> Self {
        let mut parts: Vec<(u32, Vec<NewRecord>)> = Vec::new();
        let mut places = Vec::with_capacity(records.len());
        for (partition, record) in records {
            // The last one first: records of one partition often follow each other.
            let known = parts.iter().rposition(|(known, _)| *known == partition);
            let part = known.unwrap_or_else(|| {
                parts.push((partition, Vec::new()));
                parts.len() - 1
            });
            let list = &mut parts[part].1;
            places.push((part, list.len() as u64, record.timestamp));
            list.push(record);
        }
        let parts = parts.into_iter().map(|(number, mut list)| {
            let records = match (list.len(), list.pop()) {
                (1, Some(only)) => Records::One(only),
                (_, last) => {
                    list.extend(last);
                    Records::Many(list)
                }
            };
            let partition = topic.partition(number.into());
            Part {
                partition: number,
                state: partition.and_then(|partition| partition.submit(records, durability)),
            }
        });
        let parts = parts.collect();
        Self {
            topic,
            parts,
            places,
        }
    }

    /// Waits for all; where each record went, or why that one is not there.
    pub async fn each(self) -> Vec<Result<Produced, TopicsError>> {
        let mut done = Vec::with_capacity(self.parts.len());
        for part in self.parts {
            let partition = self.topic.partition(part.partition.into());
            let appended = match (part.state, partition) {
                (Ok(pending), Ok(partition)) => wait(partition, pending).await,
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            done.push((part.partition, appended));
        }
        let places = self.places.into_iter();
        let each = places.map(|(part, at, timestamp)| match done.get(part) {
            Some((partition, Ok(appended))) => Ok(produced(*partition, *appended, at, timestamp)),
            Some((_, Err(error))) => Err(error.clone()),
            None => Err(TopicsError::Internal),
        });
        each.collect()
    }

    /// Waits for all, or gives the first error.
    async fn produced(self) -> Result<Vec<Produced>, TopicsError> {
        self.each().await.into_iter().collect()
    }
}

async fn wait(partition: &Partition, pending: Pending<Appender>) -> Result<Appended, TopicsError> {
    pending
        .await
        .map_err(|error| partition.append_error(&error))
}
