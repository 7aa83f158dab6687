//! Which topics there are, as far as Kafka was asked lately: producing looks it up for each record.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use krafka::admin::{DescribeTopicsOptions, TopicDescription};
use topics::TopicsError;

use super::failure;
use super::handle::KafkaTopics;

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
    fn known(&self, topic: &str, age: Duration) -> Option<u32> {
        let (partitions, asked) = *self.lock().get(topic)?;
        (asked.elapsed() <= age).then_some(partitions)
    }

    fn note(&self, topic: &str, partitions: u32) {
        let known = (partitions, Instant::now());
        self.lock().insert(topic.to_owned(), known);
    }

    /// Asks anew the next time.
    pub(crate) fn forget(&self, topic: &str) {
        self.lock().remove(topic);
    }
}

impl KafkaTopics {
    /// How many partitions `topic` has; asks Kafka where what is known is older than `age`.
    pub(crate) async fn partitions(&self, topic: &str, age: Duration) -> Result<u32, TopicsError> {
        if let Some(partitions) = self.0.catalog.known(topic, age) {
            return Ok(partitions);
        }
        let described = self.look_up(topic).await?;
        Ok(u32::try_from(described.partitions.len()).unwrap_or(u32::MAX))
    }

    /// The number of a partition of `topic`.
    pub(crate) async fn partition(&self, topic: &str, partition: i64) -> Result<u32, TopicsError> {
        let partitions = self.partitions(topic, FOR_READERS).await?;
        in_range(topic, partition, partitions)
    }

    /// Asks Kafka.
    pub(crate) async fn look_up(&self, topic: &str) -> Result<TopicDescription, TopicsError> {
        // Kafka's client refuses a name that no topic can have in words of its own.
        if topics::name::topic(topic).is_err() {
            return Err(TopicsError::NoSuchTopic(topic.to_owned()));
        }
        let admin = &self.0.admin;
        let described = admin
            .describe_topics([topic], DescribeTopicsOptions::default())
            .await
            .and_then(|mut topics| topics.remove(topic).unwrap_or_else(|| missing(topic)));
        match described {
            Ok(described) => {
                let partitions = u32::try_from(described.partitions.len()).unwrap_or(u32::MAX);
                self.0.catalog.note(topic, partitions);
                Ok(described)
            }
            Err(error) => {
                let error = failure::of_topic(&error, topic);
                if matches!(error, TopicsError::NoSuchTopic(_)) {
                    self.0.catalog.forget(topic);
                }
                Err(error)
            }
        }
    }
}

fn missing(topic: &str) -> krafka::Result<TopicDescription> {
    Err(krafka::KrafkaError::unknown_topic(topic))
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
