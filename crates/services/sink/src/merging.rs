//! Reads the partitions that the group assigns, and merges batch after batch. `progress`: how far it is, for others.

mod progress;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use anyhow::Context;
use domain::Event;
use events_kafka::EventProducer;
use kafka_client::{Timing, connect_patiently};
use krafka::admin::{AdminClient, DescribeTopicsOptions};
use krafka::consumer::{AutoOffsetReset, Consumer, ConsumerRecord, GroupProtocol};
use krafka::{CloseOptions, KrafkaError};
use runtime::postgres::{Cause, Database, DatabaseError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::config::MergingConfig;
use super::dead_letters::DeadLetters;
use super::metrics::SinkMetrics;
use super::position::{Positions, Verdict};
use super::store::{self, Batch, Merged, Moves, Source};
use super::taken::Taken;

/// The client id of sinks in Kafka's logs.
const CLIENT_ID: &str = "sink";
/// Longest wait for records before the sink reports its lag and its progress.
const POLL: Duration = Duration::from_millis(500);
/// Pause before a failed step is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How often the sink commits its offsets to Kafka, for tools that show lag; the offsets that count are in the database.
const TELL_KAFKA_EVERY: Duration = Duration::from_secs(1);
/// How long leaving the group may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Kafka's id of a topic in hexadecimal digits; `None` if the brokers give none.
fn topic_id(bytes: [u8; 16]) -> Option<String> {
    let is_given = bytes != [0; 16];
    is_given.then(|| format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// A member of the group of sinks.
pub(crate) struct Merging {
    consumer: Consumer,
    admin: AdminClient,
    source: Source,
    database: Database,
    metrics: SinkMetrics,
    dead_letters: DeadLetters,
    max_batch: usize,
    /// Longest wait for PostgreSQL.
    limit: Duration,
    positions: Positions,
    /// Places of the dead letters that were sent for the records in hand: a batch that is tried again does not send
    /// them again.
    buried: BTreeSet<(i32, i64)>,
    told: Instant,
    stop: CancellationToken,
}

impl Merging {
    pub(crate) async fn open(
        config: &MergingConfig,
        database: Database,
        metrics: SinkMetrics,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let timeout = config.request_timeout;
        let kafka = connect_patiently(&config.kafka, CLIENT_ID, Timing::within(timeout)).await?;
        let dead = config.dead_letters();
        // Also creates the topic of events.
        let producer =
            EventProducer::open(&config.kafka, &config.events, CLIENT_ID, timeout).await?;
        let made = config.events.make(&kafka, &dead).await;
        made.with_context(|| format!("DEAD_LETTER_TOPIC {dead}"))?;
        let topic = config.events.events_topic.clone();
        let most = i32::try_from(config.max_batch_events).unwrap_or(i32::MAX);
        let consumer = kafka
            .consumer(&config.events.sink_group)
            .group_protocol(GroupProtocol::Consumer)
            .enable_auto_commit(false)
            .auto_offset_reset(AutoOffsetReset::Earliest)
            .max_poll_records(most)
            .fetch_max_wait(POLL)
            .metrics_push(false)
            .build()
            .await?;
        consumer.subscribe([&topic]).await?;
        let admin = kafka
            .admin()
            .default_api_timeout(timeout)
            .metrics_push(false);
        Ok(Self {
            consumer,
            admin,
            dead_letters: DeadLetters {
                producer,
                topic: dead,
                source: topic.clone(),
            },
            source: Source {
                group: config.events.sink_group.clone(),
                topic,
                topic_id: None,
            },
            database,
            metrics,
            max_batch: config.max_batch_events as usize,
            limit: timeout,
            positions: Positions::default(),
            buried: BTreeSet::new(),
            told: Instant::now(),
            stop,
        })
    }

    /// Merges until the stop. A failed step is tried again: no record is skipped.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            let polled = tokio::select! {
                polled = self.consumer.poll(POLL) => polled,
                () = stop.cancelled() => break,
            };
            match polled {
                Ok(records) => self.merge(records).await,
                Err(error) => {
                    self.after(&error);
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
            self.show_lag().await;
            self.tell_kafka(false).await;
        }
        self.tell_kafka(true).await;
        self.dead_letters.producer.close(CLOSE_WITHIN).await;
        let options = CloseOptions::new().timeout(CLOSE_WITHIN);
        if let Err(error) = self.consumer.close_with(options).await {
            tracing::warn!(%error, "the group was not left in order: Kafka finds out by itself");
        }
    }

    fn after(&self, error: &KrafkaError) {
        if error.is_retriable() {
            tracing::debug!(%error, "reading goes on after a failure");
        } else {
            tracing::error!(%error, "events cannot be read: trying again");
        }
    }

    /// Merges what was read, in transactions of `max_batch` events.
    async fn merge(&mut self, records: Vec<ConsumerRecord>) {
        let assigned = self.consumer.assignment().await;
        let assigned = assigned
            .get(&self.source.topic)
            .cloned()
            .unwrap_or_default();
        self.positions
            .keep(|partition| assigned.contains(&partition));
        self.buried.clear();
        let mut taken = self.judge(records).await;
        let partitions: BTreeSet<i32> = taken.iter().map(|taken| taken.partition).collect();
        while !taken.is_empty() && !self.stop.is_cancelled() {
            let rest = taken.split_off(taken.len().min(self.max_batch));
            let batch: Vec<Taken> = std::mem::replace(&mut taken, rest).into();
            if !self.merge_batch(&batch).await {
                return self.read_anew(&partitions).await;
            }
        }
    }

    /// Reads partitions again from what they lack, where the database says how far they are. These are all of a poll: what is
    /// dropped of one of them would look like a gap of the topic in the next poll, and be passed over.
    async fn read_anew(&mut self, partitions: &BTreeSet<i32>) {
        for partition in partitions {
            let from = self.positions.next(*partition);
            self.seek(*partition, from).await;
        }
        self.positions
            .keep(|partition| !partitions.contains(&partition));
    }

    /// Returns the records that are the next ones of their partitions.
    async fn judge(&mut self, records: Vec<ConsumerRecord>) -> VecDeque<Taken> {
        let mut expected: BTreeMap<i32, i64> = BTreeMap::new();
        let mut sought = Vec::new();
        let mut taken = VecDeque::with_capacity(records.len());
        let is_strange = |record: &ConsumerRecord| {
            let (positions, partition) = (&self.positions, record.partition);
            !positions.knows(partition) || positions.went_back(partition, record.offset)
        };
        let identified = match records.iter().any(is_strange) {
            true => self.identify().await,
            false => Ok(()),
        };
        if let Err(error) = &identified {
            self.after(error);
        }
        for record in records {
            let (partition, offset) = (record.partition, record.offset);
            if sought.contains(&partition) {
                continue;
            }
            if identified.is_err() && self.positions.went_back(partition, offset) {
                // It may be of another topic, which only Kafka can say: read again when it does.
                self.seek(partition, offset).await;
                self.positions.keep(|known| known != partition);
                sought.push(partition);
                continue;
            }
            if !self.positions.knows(partition) {
                let next = match identified {
                    Ok(()) => {
                        let known = &self.database;
                        let next = store::next_offset(known, &self.source, partition, self.limit);
                        next.await.map_err(|error| self.report(&error)).ok()
                    }
                    Err(_) => None,
                };
                let Some(next) = next else {
                    // Read again when Kafka or the database is back.
                    self.seek(partition, offset).await;
                    sought.push(partition);
                    continue;
                };
                self.positions.set(partition, next);
            }
            let next = self.positions.next(partition);
            let expected = expected.entry(partition).or_insert(next);
            match self.positions.judge(partition, offset, *expected) {
                Verdict::Skip => {}
                Verdict::Merge => {
                    *expected = offset + 1;
                    taken.push_back(Taken::new(record));
                }
                Verdict::Seek(to) => {
                    if !self.seek(partition, to).await {
                        // What follows is no gap of the topic: it is judged again.
                        self.positions.keep(|known| known != partition);
                    }
                    sought.push(partition);
                }
            }
        }
        taken
    }

    /// Asks Kafka which topic this is: one that was made again has new records at old offsets. What is known of another topic
    /// is forgotten.
    async fn identify(&mut self) -> Result<(), KrafkaError> {
        let topic = &self.source.topic;
        let described = self
            .admin
            .describe_topics([topic], DescribeTopicsOptions::default());
        let described = match described.await?.remove(topic) {
            Some(described) => described?,
            None => return Err(KrafkaError::unknown_topic(topic)),
        };
        let id = topic_id(described.topic_id);
        if id != self.source.topic_id {
            self.positions.keep(|_| false);
            self.source.topic_id = id;
        }
        Ok(())
    }

    /// Asks for the records from `offset` on; whether that was taken.
    async fn seek(&self, partition: i32, offset: i64) -> bool {
        let sought = self
            .consumer
            .seek(&self.source.topic, partition, offset)
            .await;
        if let Err(error) = sought {
            // Most likely the partition went to another sink.
            tracing::debug!(%error, partition, "no seek");
            return false;
        }
        true
    }

    /// Tries a batch until it is merged. Returns whether this sink merged all of it.
    async fn merge_batch(&mut self, batch: &[Taken]) -> bool {
        let mut begun = BTreeMap::new();
        for taken in batch {
            let next = self.positions.next(taken.partition);
            begun.entry(taken.partition).or_insert(next);
        }
        loop {
            match self.try_batch(batch, &begun).await {
                Ok(Merged::Now) => return true,
                Ok(Merged::Elsewhere) => break self.metrics.fenced.inc(),
                Err(Failure::Database(error)) if error.cause() == Cause::Data => {
                    // One event is the cause: merge each event by itself.
                    if batch.len() == 1 {
                        if self
                            .bury(&batch[0], "the database refused the event's values")
                            .await
                        {
                            return true;
                        }
                    } else {
                        for one in batch.chunks(1) {
                            if !Box::pin(self.merge_batch(one)).await {
                                return false;
                            }
                        }
                        return true;
                    }
                }
                Err(Failure::Database(error)) => self.report(&error),
                Err(Failure::DeadLetter) => {}
            }
            if self.stop.is_cancelled() {
                break;
            }
            self.metrics.retries.inc();
            tokio::time::sleep(RETRY_AFTER).await;
        }
        false
    }

    async fn try_batch(
        &mut self,
        batch: &[Taken],
        begun: &BTreeMap<i32, i64>,
    ) -> Result<Merged, Failure> {
        let mut dead = Vec::new();
        for taken in batch {
            if let Err(reason) = &taken.event {
                self.keep(taken, reason).await?;
                dead.push(taken.dead(reason));
            }
        }
        let events = batch.iter().filter_map(|taken| taken.event.clone().ok());
        let events: Vec<Event> = events.collect();
        let moves = moves(batch, begun);
        let whole = Batch {
            moves: &moves,
            events: &events,
            dead: &dead,
        };
        let merged = store::merge(&self.database, &self.source, whole, self.limit).await;
        let merged = merged.map_err(Failure::Database)?;
        if merged == Merged::Now {
            for (partition, (_, after)) in moves {
                self.positions.advance(partition, after);
            }
            self.metrics.events.inc_by(events.len() as u64);
            self.metrics.batches.inc();
        }
        Ok(merged)
    }

    /// Keeps a record as a dead letter, unless it is one already.
    async fn keep(&mut self, taken: &Taken, reason: &str) -> Result<(), Failure> {
        let place = (taken.partition, taken.offset);
        if self.buried.contains(&place) {
            return Ok(());
        }
        self.dead_letters
            .keep(taken, reason)
            .await
            .map_err(|error| {
                tracing::warn!(%error, "a dead letter cannot be kept: trying again");
                Failure::DeadLetter
            })?;
        self.buried.insert(place);
        self.metrics.dead_letters.inc();
        Ok(())
    }

    /// Makes a dead letter of an event that PostgreSQL refused. Whether that is done.
    async fn bury(&mut self, taken: &Taken, reason: &str) -> bool {
        if self.keep(taken, reason).await.is_err() {
            return false;
        }
        let next = self.positions.next(taken.partition);
        let moves = Moves::from([(taken.partition, (next, taken.offset + 1))]);
        let alone = Batch {
            moves: &moves,
            events: &[],
            dead: &[taken.dead(reason)],
        };
        match store::merge(&self.database, &self.source, alone, self.limit).await {
            Ok(Merged::Now) => {
                self.positions.advance(taken.partition, taken.offset + 1);
                true
            }
            Ok(Merged::Elsewhere) => false,
            Err(error) => {
                self.report(&error);
                false
            }
        }
    }

    fn report(&self, error: &DatabaseError) {
        match error.cause() {
            Cause::Locked | Cause::Conflict => {
                tracing::debug!(error = %error.chain(), "a batch is tried again");
            }
            cause => tracing::warn!(error = %error.chain(), "not merged: {cause}; trying again"),
        }
    }
}

/// Why a batch was not merged.
enum Failure {
    Database(DatabaseError),
    DeadLetter,
}

/// Where the partitions of a batch are before and after it.
fn moves(batch: &[Taken], begun: &BTreeMap<i32, i64>) -> Moves {
    let mut moves = Moves::new();
    for taken in batch {
        let before = begun.get(&taken.partition).copied().unwrap_or_default();
        moves.insert(taken.partition, (before, taken.offset + 1));
    }
    moves
}
