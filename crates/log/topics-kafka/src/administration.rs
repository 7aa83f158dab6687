//! Topics made, deleted and described.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::Invalid;
use krafka::admin::{
    ConfigResource, CreateTopicsOptions, DeleteTopicsOptions, DescribeConfigsOptions,
    ListOffsetsOptions, ListTopicsOptions, ListedOffset, NewTopic, OffsetSpec, TopicPartition,
};
use topics::settings::TopicSettings;
use topics::{PartitionInfo, PartitionOffsets, TopicDraft, TopicInfo, TopicsError, name};

use super::catalog::in_range;
use super::failure;
use super::shared::KafkaTopics;

/// Our records, which have up to 10 MiB of key, value and headers, and what is around them.
const MAX_MESSAGE_BYTES: &str = "11534336";
/// Settings that our contract has.
const CONFIGS: [&str; 3] = ["retention.bytes", "retention.ms", "segment.bytes"];
/// Where a setting comes from, as Kafka's protocol numbers it.
const SET_FOR_THE_TOPIC: i8 = 1;
/// A topic that was made or deleted is so on every broker a moment later.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Where Kafka says that a partition has no leader.
const NO_LEADER: i32 = -1;

impl KafkaTopics {
    pub(crate) async fn create_topic(&self, draft: TopicDraft) -> Result<TopicInfo, TopicsError> {
        name::topic(&draft.name)?;
        let partitions = name::partitions(draft.partitions)?;
        let replicas = match i16::try_from(draft.replication_factor) {
            // The brokers' default.
            Ok(0) => -1,
            Ok(replicas) if replicas > 0 => replicas,
            _ => {
                let problem = "must be from 1 to the number of brokers, or 0 for their default";
                return Err(Invalid::new("replicationFactor", problem).into());
            }
        };
        TopicSettings::parse(&draft.configs)?;
        let topic = i32::try_from(partitions).unwrap_or(i32::MAX);
        let topic = NewTopic::new(&draft.name, topic, replicas);
        let mut topic = topic.map_err(|error| failure::of_topic(&error, &draft.name))?;
        // As our files do: what nobody limits stays.
        topic = topic
            .with_config("max.message.bytes", MAX_MESSAGE_BYTES)
            .with_config("retention.ms", "-1");
        for (name, value) in &draft.configs {
            topic = topic.with_config(name, value.trim());
        }
        let made = self
            .0
            .admin
            .create_topics([topic], CreateTopicsOptions::default());
        one(made.await, &draft.name).map_err(|error| failure::of_topic(&error, &draft.name))?;
        // The topic is there: until every broker knows it, one may say that it is not.
        loop {
            match self.describe_topic(&draft.name).await {
                Err(TopicsError::NoSuchTopic(_) | TopicsError::Kafka(_)) => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Ok(topic) if topic.partitions.iter().any(|one| one.leader == NO_LEADER) => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                described => return described,
            }
        }
    }

    pub(crate) async fn delete_topic(&self, topic: &str) -> Result<(), TopicsError> {
        // Also refuses names that Kafka's client does not take.
        self.look_up(topic).await?;
        let deleted = self
            .0
            .admin
            .delete_topics([topic], DeleteTopicsOptions::default());
        one(deleted.await, topic).map_err(|error| failure::of_topic(&error, topic))?;
        self.0.catalog.forget(topic);
        while self.look_up(topic).await.is_ok() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    pub(crate) async fn list_topics(&self) -> Result<Vec<String>, TopicsError> {
        let names = self.0.admin.list_topics(ListTopicsOptions::default()).await;
        let mut names = names.map_err(|error| failure::general(&error))?;
        names.sort_unstable();
        self.0.topic_count.store(names.len(), Ordering::Relaxed);
        Ok(names)
    }

    pub(crate) async fn describe_topic(&self, topic: &str) -> Result<TopicInfo, TopicsError> {
        let described = self.look_up(topic).await?;
        let count = u32::try_from(described.partitions.len()).unwrap_or(u32::MAX);
        let (offsets, configs) =
            tokio::try_join!(self.all_offsets(topic, 0..count), self.configs(topic))?;
        let partitions = described.partitions.into_iter().zip(offsets);
        let partitions = partitions.map(|(partition, offsets)| PartitionInfo {
            offsets,
            leader: partition.leader.unwrap_or(NO_LEADER),
            replicas: partition.replicas,
            isr: partition.isr,
        });
        Ok(TopicInfo {
            name: described.name,
            configs,
            partitions: partitions.collect(),
        })
    }

    pub(crate) async fn partition_offsets(
        &self,
        topic: &str,
        partition: i64,
    ) -> Result<PartitionOffsets, TopicsError> {
        let described = self.look_up(topic).await?;
        let count = u32::try_from(described.partitions.len()).unwrap_or(u32::MAX);
        let number = in_range(topic, partition, count)?;
        let mut offsets = self.all_offsets(topic, number..number + 1).await?;
        offsets.pop().ok_or(TopicsError::Internal)
    }

    /// First and next offset of each of these partitions.
    async fn all_offsets(
        &self,
        topic: &str,
        partitions: std::ops::Range<u32>,
    ) -> Result<Vec<PartitionOffsets>, TopicsError> {
        let ask = |spec: OffsetSpec| {
            let partitions = partitions.clone();
            async move {
                let specs = partitions.map(|number| (key(topic, number), spec));
                let listed = self
                    .0
                    .admin
                    .list_offsets(specs, ListOffsetsOptions::default());
                listed
                    .await
                    .map_err(|error| failure::of_topic(&error, topic))
            }
        };
        let (first, next) = tokio::try_join!(ask(OffsetSpec::Earliest), ask(OffsetSpec::Latest))?;
        let offset =
            |listed: &HashMap<TopicPartition, krafka::Result<ListedOffset>>, number| match listed
                .get(&key(topic, number))
            {
                Some(Ok(listed)) => Ok(u64::try_from(listed.offset).unwrap_or_default()),
                Some(Err(error)) => Err(failure::of_topic(error, topic)),
                None => Err(TopicsError::Internal),
            };
        let offsets = partitions.clone().map(|number| {
            Ok(PartitionOffsets {
                beginning: offset(&first, number)?,
                end: offset(&next, number)?,
            })
        });
        offsets.collect()
    }

    /// Those settings of our contract that differ from what a topic has where nothing is said.
    async fn configs(&self, topic: &str) -> Result<BTreeMap<String, String>, TopicsError> {
        let resource = ConfigResource::topic(topic);
        let names = CONFIGS.map(ToOwned::to_owned).to_vec();
        let options = DescribeConfigsOptions::default().config_names(names);
        let described = self
            .0
            .admin
            .describe_configs([resource.clone()], options)
            .await;
        let entries = described
            .and_then(|mut found| {
                found
                    .remove(&resource)
                    .unwrap_or_else(|| Err(krafka::KrafkaError::unknown_topic(topic)))
            })
            .map_err(|error| failure::of_topic(&error, topic))?;
        let set = entries
            .into_iter()
            .filter(|entry| entry.config_source == SET_FOR_THE_TOPIC);
        let set = set.filter_map(|entry| {
            let value = entry.config_value().as_str()?.to_owned();
            Some((entry.name, value))
        });
        // What create_topic sets on its own account.
        Ok(set
            .filter(|(name, value)| name != "retention.ms" || value != "-1")
            .collect())
    }
}

/// A partition as the client names it.
pub(crate) fn key(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition::new(topic, i32::try_from(partition).unwrap_or(i32::MAX))
}

/// The outcome for the one topic that was asked for.
fn one<T>(
    outcomes: krafka::Result<HashMap<String, krafka::Result<T>>>,
    topic: &str,
) -> krafka::Result<T> {
    let mut outcomes = outcomes?;
    let outcome = outcomes.remove(topic);
    outcome.unwrap_or_else(|| Err(krafka::KrafkaError::unknown_topic(topic)))
}
