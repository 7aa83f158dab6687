//! Topics and partitions looked up: in the catalog while that is young, else asked of Kafka.

use std::time::Duration;

use krafka::admin::{DescribeTopicsOptions, TopicDescription};
use topics::TopicsError;

use super::catalog::{FOR_READERS, in_range};
use super::failure;
use super::shared::KafkaTopics;

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
