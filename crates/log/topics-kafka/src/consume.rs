//! Reads one partition, or those that a group assigns, on and on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use krafka::consumer::{
    AutoOffsetReset, Consumer, ConsumerBuilder, ConsumerRecord, TopicPartition,
};
use krafka::{CloseOptions, KrafkaError};
use tokio::time::Instant;
use topics::{
    Deliveries, Delivery, Header, Pace, PartitionOffsets, Start, StoredRecord, TopicsError,
};

use super::administration::key;
use super::catalog::FOR_READERS;
use super::deliveries::Pending;
use super::failure;
use super::shared::KafkaTopics;

/// Longest wait for Kafka before a reader looks around.
const POLL: Duration = Duration::from_millis(500);
/// After a failure that may pass.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// Bytes that Kafka sends of a partition at once; one record comes whatever its size.
const FETCH_BYTES: i32 = 1024 * 1024;
/// How long leaving a group may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(4);

/// Reads on and on. A member of a group leaves it when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    topics: KafkaTopics,
    topic: String,
    reads: Reads,
    pace: Pace,
    pending: Pending,
    /// When Kafka was last asked whether the topic is there.
    looked: Instant,
    in_group: bool,
}

/// The client's consumer, which is closed in the background when this is dropped.
pub(crate) struct Reads {
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) topics: KafkaTopics,
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").finish_non_exhaustive()
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        self.topics.0.local.remove(&self.consumer);
        let consumer = Arc::clone(&self.consumer);
        // Outside of a runtime nothing can be sent: Kafka finds out by itself.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.topics.0.behind.spawn(async move {
                let options = CloseOptions::new().timeout(CLOSE_WITHIN);
                if let Err(error) = consumer.close_with(options).await {
                    tracing::debug!(%error, "a consumer did not close in order");
                }
            });
        }
    }
}

impl KafkaTopics {
    pub(crate) async fn read_partition(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
    ) -> Result<Reader, TopicsError> {
        let number = self.partition(topic, partition).await?;
        let offsets = self.partition_offsets(topic, partition).await?;
        let offset = beginning(topic, number, start, offsets)?;
        self.read_from(topic, number, offset, pace).await
    }

    async fn read_from(
        &self,
        topic: &str,
        partition: u32,
        offset: u64,
        pace: Pace,
    ) -> Result<Reader, TopicsError> {
        let builder = common(self.0.kafka.consumer_without_group());
        let consumer = builder.auto_offset_reset(AutoOffsetReset::None).build();
        let consumer = consumer.await.map_err(|error| failure::general(&error))?;
        let reads = Reads {
            consumer: Arc::new(consumer),
            topics: self.clone(),
        };
        let TopicPartition { partition, .. } = key(topic, partition);
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        let assigned = reads.consumer.assign(topic, vec![partition]).await;
        assigned.map_err(|error| failure::of_topic(&error, topic))?;
        let placed = reads.consumer.seek(topic, partition, offset).await;
        placed.map_err(|error| failure::of_topic(&error, topic))?;
        Ok(Reader::new(reads, topic, pace, false))
    }

    pub(crate) async fn fetch_once(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
        max_wait: Duration,
    ) -> Result<Delivery, TopicsError> {
        let place = async {
            let number = self.partition(topic, partition).await?;
            let offsets = self.partition_offsets(topic, partition).await?;
            let offset = beginning(topic, number, start, offsets)?;
            Ok((number, offset, offsets.end))
        };
        let (number, offset, end) = self.bounded(place).await?;
        let nothing = Delivery {
            partition: number,
            high_watermark: end,
            records: Vec::new(),
        };
        if offset >= end && max_wait.is_zero() {
            return Ok(nothing);
        }
        let mut reader = self
            .bounded(self.read_from(topic, number, offset, pace))
            .await?;
        if offset < end {
            return self.bounded(reader.next()).await;
        }
        match tokio::time::timeout(max_wait, reader.next()).await {
            // What is there until the stop is an answer.
            Err(_) | Ok(Err(TopicsError::ShuttingDown)) => Ok(nothing),
            Ok(next) => next,
        }
    }
}

/// What all readers have in common.
pub(crate) fn common(builder: ConsumerBuilder) -> ConsumerBuilder {
    builder
        .enable_auto_commit(false)
        .max_partition_fetch_bytes(FETCH_BYTES)
        .fetch_max_wait(POLL)
        .metrics_push(false)
}

/// The offset to begin with.
fn beginning(
    topic: &str,
    partition: u32,
    start: Start,
    PartitionOffsets { beginning, end }: PartitionOffsets,
) -> Result<u64, TopicsError> {
    match start {
        Start::Earliest => Ok(beginning),
        Start::Latest => Ok(end),
        Start::Offset(offset) if (beginning..=end).contains(&offset) => Ok(offset),
        Start::Offset(offset) => Err(TopicsError::OutOfRange {
            topic: topic.to_owned(),
            partition,
            problem: format!("offset {offset} is not from {beginning} to {end}"),
        }),
    }
}

impl Reader {
    pub(crate) fn new(reads: Reads, topic: &str, pace: Pace, in_group: bool) -> Self {
        Self {
            topics: reads.topics.clone(),
            topic: topic.to_owned(),
            reads,
            pace,
            pending: Pending::default(),
            looked: Instant::now(),
            in_group,
        }
    }

    /// Takes what Kafka sent.
    async fn take_in(&mut self, records: Vec<ConsumerRecord>) {
        let now = Instant::now();
        self.topics.0.counters.note_consumed(records.len() as u64);
        for record in records {
            let partition = u32::try_from(record.partition).unwrap_or_default();
            self.pending.push(partition, stored(record), now);
        }
        if self.in_group && !self.pending.is_empty() {
            let assigned = self.reads.consumer.assignment().await;
            let assigned = assigned.get(&self.topic).cloned().unwrap_or_default();
            self.pending.keep(|partition| {
                assigned
                    .iter()
                    .any(|one| u32::try_from(*one) == Ok(partition))
            });
        }
    }

    /// Goes on after a failure that may pass.
    async fn survive(&self, error: KrafkaError) -> Result<(), TopicsError> {
        match &error {
            KrafkaError::NoOffset { partitions } => {
                let partition = partitions.first().map_or(0, |(_, partition)| *partition);
                return Err(TopicsError::OutOfRange {
                    topic: self.topic.clone(),
                    partition: u32::try_from(partition).unwrap_or_default(),
                    problem: "the offset is not there any more".to_owned(),
                });
            }
            KrafkaError::UnknownTopic { .. } | KrafkaError::Auth { .. } => {
                return Err(failure::of_topic(&error, &self.topic));
            }
            error if error.is_fatal() => return Err(failure::general(error)),
            _ => tracing::debug!(%error, topic = self.topic, "reading goes on after a failure"),
        }
        tokio::time::sleep(RETRY_AFTER).await;
        Ok(())
    }

    /// Ends where the topic is gone. Whether Kafka answers makes no difference: a reader waits for it.
    async fn look_at_topic(&mut self) -> Result<(), TopicsError> {
        if self.looked.elapsed() < FOR_READERS {
            return Ok(());
        }
        let asked = self.topics.partitions(&self.topic, FOR_READERS);
        let asked = tokio::time::timeout(self.topics.0.timing.request, asked).await;
        self.looked = Instant::now();
        match asked {
            Ok(Err(gone @ TopicsError::NoSuchTopic(_))) => Err(gone),
            _ => Ok(()),
        }
    }

    async fn deliver(&self, partition: u32, records: Vec<StoredRecord>) -> Delivery {
        let after = records.last().map_or(0, |record| record.offset + 1);
        let lag = self.reads.consumer.lag().await;
        let known = lag.get(&key(&self.topic, partition));
        let known = known.and_then(|lag| u64::try_from(lag.high_watermark?).ok());
        Delivery {
            partition,
            high_watermark: known.unwrap_or(after).max(after),
            records,
        }
    }
}

#[async_trait]
impl Deliveries for Reader {
    fn topic(&self) -> &str {
        &self.topic
    }

    async fn next(&mut self) -> Result<Delivery, TopicsError> {
        let stop = self.topics.0.stop.clone();
        loop {
            if self.pending.is_ready(self.pace, Instant::now())
                && let Some((partition, records)) = self.pending.take(self.pace)
            {
                return Ok(self.deliver(partition, records).await);
            }
            let held = self.pending.held_until(self.pace);
            let wait = held.map_or(POLL, |until| until.duration_since(Instant::now()).min(POLL));
            let around = async {
                match self.reads.consumer.poll(wait).await {
                    Ok(records) => Ok(records),
                    Err(error) => self.survive(error).await.map(|()| Vec::new()),
                }
            };
            let records = tokio::select! {
                records = around => records?,
                () = stop.cancelled() => return Err(TopicsError::ShuttingDown),
            };
            let is_idle = records.is_empty();
            self.take_in(records).await;
            if is_idle {
                self.look_at_topic().await?;
            }
        }
    }
}

fn stored(record: ConsumerRecord) -> StoredRecord {
    let headers = record.headers.into_iter().map(|(key, value)| Header {
        key,
        value: value.unwrap_or_default(),
    });
    StoredRecord {
        offset: u64::try_from(record.offset).unwrap_or_default(),
        timestamp: record.timestamp,
        append_time: record.timestamp,
        key: record.key.unwrap_or_default(),
        value: record.value.unwrap_or_default(),
        headers: headers.collect(),
    }
}
