//! Sends events, acknowledged by all replicas that are in sync.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use domain::Event;
use kafka_client::{KafkaConfig, Timing, connect_patiently};
use krafka::admin::{DescribeClusterOptions, ListOffsetsOptions, OffsetSpec, TopicPartition};
use krafka::error::ErrorCode;
use krafka::producer::{Acks, DeliveryHandle, Producer};
use krafka::{CloseOptions, Kafka, KrafkaError, Record};

use super::config::EventsTopic;
use super::record;

/// Events that wait for Kafka together make one request.
const BATCH_BYTES: usize = 1024 * 1024;
/// How long Kafka may take to say that it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Why an event was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nobody said whether it is stored.
    #[error("Kafka did not acknowledge in time")]
    NotAcknowledged,
    /// Too few replicas are in sync, or no broker answers.
    #[error("Kafka takes no events now")]
    Unavailable,
    /// Larger than the topic allows.
    #[error("the event is larger than the topic of events allows")]
    TooLarge,
    /// The client failed; the log has the details.
    #[error("internal error")]
    Internal,
}

/// Sends events to their topic. Clones share everything.
#[derive(Clone, Debug)]
pub struct EventProducer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kafka: Kafka,
    topic: String,
    timing: Timing,
    /// Made anew when Kafka no longer takes its identity.
    producer: Mutex<Arc<Producer>>,
}

/// Where an event stands in the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its partition, from 0.
    pub partition: i32,
    /// Its offset there; -1 where Kafka had stored it at an earlier try and did not say at which.
    pub offset: i64,
}

/// An event that is on its way.
#[derive(Debug)]
pub struct Sent {
    delivery: DeliveryHandle,
    by: EventProducer,
}

impl EventProducer {
    /// Connects, and makes the topic where it is not there.
    ///
    /// # Errors
    /// A setting is wrong, or Kafka cannot be reached within 30 s.
    pub async fn open(
        config: &KafkaConfig,
        topic: &EventsTopic,
        client_id: &str,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let timing = Timing::within(timeout);
        let kafka = connect_patiently(config, client_id, timing).await?;
        let made = topic.make(&kafka, &topic.events_topic).await;
        made.with_context(|| format!("EVENTS_TOPIC {}", topic.events_topic))?;
        let producer = producer(&kafka, timing).await.context("KAFKA_BROKERS")?;
        Ok(Self(Arc::new(Shared {
            kafka,
            topic: topic.events_topic.clone(),
            timing,
            producer: Mutex::new(Arc::new(producer)),
        })))
    }

    /// Puts an event behind those that wait. Events stay in the order of the calls.
    ///
    /// # Errors
    /// There is no room, or no broker answers.
    pub async fn enqueue(&self, event: &Event) -> Result<Sent, SendError> {
        self.enqueue_to(&self.0.topic, record::key(event), record::value(event), &[])
            .await
    }

    /// The same for any record and topic.
    ///
    /// # Errors
    /// As there.
    pub async fn enqueue_to(
        &self,
        topic: &str,
        key: Vec<u8>,
        value: Vec<u8>,
        headers: &[(&str, String)],
    ) -> Result<Sent, SendError> {
        let mut record = Record::new(topic, value).key(key);
        for (name, value) in headers {
            record = record.header(*name, value.clone());
        }
        let producer = Arc::clone(
            &self
                .0
                .producer
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        match producer.enqueue(record).await {
            Ok(delivery) => Ok(Sent {
                delivery,
                by: self.clone(),
            }),
            Err(error) => Err(self.told(&error).await),
        }
    }

    /// The place of the last record of a partition of the topic of events.
    ///
    /// # Errors
    /// Kafka does not say.
    pub async fn last_of(&self, partition: i32) -> Result<Place, SendError> {
        let asked = TopicPartition::new(&self.0.topic, partition);
        let admin = self.0.kafka.admin().metrics_push(false);
        let spec = [(asked.clone(), OffsetSpec::Latest)];
        let listed = admin.list_offsets(spec, ListOffsetsOptions::default());
        match listed.await.map(|mut ends| ends.remove(&asked)) {
            Ok(Some(Ok(end))) => Ok(Place {
                partition,
                offset: end.offset - 1,
            }),
            Ok(Some(Err(error))) | Err(error) => Err(self.told(&error).await),
            Ok(None) => Err(SendError::Internal),
        }
    }

    /// Whether Kafka answers.
    pub async fn answers(&self) -> bool {
        let admin = self.0.kafka.admin().metrics_push(false);
        let options = DescribeClusterOptions::default().timeout(ANSWER_WITHIN);
        let asked = tokio::time::timeout(ANSWER_WITHIN, admin.describe_cluster(options)).await;
        matches!(asked, Ok(Ok(_)))
    }

    /// Sends what waits, for at most `within`.
    pub async fn close(&self, within: Duration) {
        let producer = Arc::clone(
            &self
                .0
                .producer
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        if let Err(error) = producer
            .close_with(CloseOptions::new().timeout(within))
            .await
        {
            tracing::warn!(%error, "events were waiting for Kafka at the end");
        }
    }

    async fn told(&self, error: &KrafkaError) -> SendError {
        if error.is_fatal() && !matches!(error, KrafkaError::Closed { .. }) {
            tracing::warn!(%error, "Kafka no longer takes this producer: making another");
            match producer(&self.0.kafka, self.0.timing).await {
                Ok(another) => {
                    let mut current = self
                        .0
                        .producer
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    *current = Arc::new(another);
                }
                Err(error) => tracing::warn!(%error, "no other producer either"),
            }
        }
        match error {
            KrafkaError::DeliveryTimeout { .. } => SendError::NotAcknowledged,
            KrafkaError::Network(_) | KrafkaError::Timeout { .. } | KrafkaError::Closed { .. } => {
                SendError::Unavailable
            }
            KrafkaError::Broker {
                code: ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge,
                ..
            } => SendError::TooLarge,
            KrafkaError::Broker { .. } if error.is_retriable() => SendError::Unavailable,
            _ => {
                tracing::error!(%error, "an event could not be sent");
                SendError::Internal
            }
        }
    }
}

impl Sent {
    /// Waits until all replicas in sync have it; where it stands.
    ///
    /// # Errors
    /// It is not known to be stored.
    pub async fn acknowledged(self) -> Result<Place, SendError> {
        match self.delivery.await {
            Ok(stored) => Ok(Place {
                partition: stored.partition,
                offset: stored.offset,
            }),
            Err(error) => Err(self.by.told(&error).await),
        }
    }
}

/// Idempotent: what is sent again after a lost answer is stored once.
async fn producer(kafka: &Kafka, timing: Timing) -> krafka::Result<Producer> {
    kafka
        .producer()
        .acks(Acks::All)
        .linger(Duration::ZERO)
        .batch_size(BATCH_BYTES)
        .max_block(timing.total)
        .delivery_timeout(timing.total.max(timing.request))
        .retry_backoff(Duration::from_millis(20))
        .metrics_push(false)
        .build()
        .await
}
