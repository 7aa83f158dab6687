//! Records to Kafka: a producer for each kind of acks.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use krafka::producer::Producer;
use krafka::{KrafkaError, Record};
use topics::{Acks, NewRecord, Produced, TopicsError};

use super::catalog::{FOR_PRODUCERS, in_range};
use super::failure;
use super::shared::KafkaTopics;

/// Larger than any record of ours: what waits together makes one batch.
const BATCH_BYTES: usize = 1024 * 1024;

impl KafkaTopics {
    /// Sends records to one topic; where one breaks a rule, that one is refused, or with `all_or_none` all are.
    pub(crate) async fn send(
        &self,
        topic: &str,
        records: Vec<(i64, NewRecord)>,
        acks: Acks,
        all_or_none: bool,
    ) -> Vec<Result<Produced, TopicsError>> {
        let count = records.len();
        let partitions = match self.partitions(topic, FOR_PRODUCERS).await {
            Ok(partitions) => partitions,
            Err(error) => return vec![Err(error); count],
        };
        let placed: Vec<_> = records
            .into_iter()
            .map(|(partition, record)| {
                let number = self.place(topic, partition, partitions, &record)?;
                Ok((number, record))
            })
            .collect();
        if all_or_none && let Some(Err(fault)) = placed.iter().find(|one| one.is_err()) {
            let fault: &TopicsError = fault;
            return vec![Err(fault.clone())];
        }
        let producer = match self.producer(acks).await {
            Ok(producer) => producer,
            Err(error) => return vec![Err(error); count],
        };
        let mut sent = Vec::with_capacity(count);
        for one in placed {
            sent.push(match one {
                Ok((partition, record)) => {
                    let (record, timestamp) = on_the_wire(topic, partition, record);
                    let queued = producer.enqueue(record).await;
                    queued
                        .map(|delivery| (delivery, partition, timestamp))
                        .map_err(|error| failure::of_topic(&error, topic))
                }
                Err(fault) => Err(fault),
            });
        }
        let mut outcomes = Vec::with_capacity(count);
        for one in sent {
            outcomes.push(match one {
                Ok((delivery, partition, timestamp)) => match delivery.await {
                    Ok(stored) => {
                        self.0.counters.note_produced(1);
                        Ok(Produced {
                            partition,
                            offset: u64::try_from(stored.offset).ok(),
                            timestamp,
                        })
                    }
                    Err(error) => Err(self.not_stored(&error, topic, acks).await),
                },
                Err(fault) => Err(fault),
            });
        }
        outcomes
    }

    fn place(
        &self,
        topic: &str,
        partition: i64,
        partitions: u32,
        record: &NewRecord,
    ) -> Result<u32, TopicsError> {
        topics::produce::check(record)?;
        match partition {
            -1 if partitions > 0 => Ok(self.0.round.choose(&record.key, partitions)),
            partition => in_range(topic, partition, partitions),
        }
    }

    async fn producer(&self, acks: Acks) -> Result<Arc<Producer>, TopicsError> {
        let mut made = self.0.producers.of(acks).lock().await;
        if let Some(producer) = &*made {
            return Ok(Arc::clone(producer));
        }
        let timing = self.0.timing;
        let builder = self.0.kafka.producer();
        let builder = match acks {
            Acks::None => builder.acks(krafka::producer::Acks::None).idempotent(false),
            Acks::Leader => builder
                .acks(krafka::producer::Acks::Leader)
                .idempotent(false),
            // Idempotent: what is sent again after a lost answer is stored once.
            Acks::All => builder.acks(krafka::producer::Acks::All),
        };
        let producer = builder
            .linger(Duration::ZERO)
            .batch_size(BATCH_BYTES)
            .buffer_memory(self.0.settings.queue_bytes.max(BATCH_BYTES))
            .max_block(timing.total)
            .delivery_timeout(timing.total.max(timing.request))
            .retry_backoff(Duration::from_millis(20))
            .metrics_push(false)
            .build()
            .await;
        let producer = Arc::new(producer.map_err(|error| failure::general(&error))?);
        *made = Some(Arc::clone(&producer));
        Ok(producer)
    }

    async fn not_stored(&self, error: &KrafkaError, topic: &str, acks: Acks) -> TopicsError {
        if error.is_fatal() && !matches!(error, KrafkaError::Closed { .. }) {
            tracing::warn!(%error, "Kafka no longer takes this producer: making another");
            self.0.producers.of(acks).lock().await.take();
        }
        let error = failure::of_topic(error, topic);
        if matches!(error, TopicsError::NoSuchTopic(_)) {
            self.0.catalog.forget(topic);
        }
        // Nobody said that it is not stored.
        match error {
            TopicsError::Kafka(_) => TopicsError::NotAcknowledged,
            error => error,
        }
    }
}

/// The record as the client takes it, and its timestamp.
fn on_the_wire(topic: &str, partition: u32, record: NewRecord) -> (Record, i64) {
    let timestamp = if record.timestamp == 0 {
        now()
    } else {
        record.timestamp
    };
    let mut sent = Record::new(topic, record.value)
        .partition(i32::try_from(partition).unwrap_or(i32::MAX))
        .timestamp(timestamp);
    // Protocol Buffers do not tell an empty key from none; Kafka does.
    if !record.key.is_empty() {
        sent = sent.key(record.key);
    }
    for header in record.headers {
        sent = sent.header(header.key, header.value);
    }
    (sent, timestamp)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
