//! The operations on topics that the faces need, whether this crate's files or Apache Kafka (crate `topics-kafka`) keep
//! them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;

use super::consumer::Delivery;
use super::counters::Counters;
use super::error::TopicsError;
use super::groups::{GroupInfo, Identity};
use super::pace::{Pace, Start};
use super::record::{NewRecord, Produced};

/// The properties of a topic to create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicDraft {
    /// Its name.
    pub name: String,
    /// 0 means 1.
    pub partitions: i64,
    /// 0 is the backend's default.
    pub replication_factor: i64,
    /// `retention.bytes`, `retention.ms`, `segment.bytes`.
    pub configs: BTreeMap<String, String>,
}

/// A topic, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// The configs given when the topic was created.
    pub configs: BTreeMap<String, String>,
    /// Each partition, by number.
    pub partitions: Vec<PartitionInfo>,
}

impl TopicInfo {
    /// Copies of each partition.
    #[must_use]
    pub fn replication_factor(&self) -> usize {
        self.partitions
            .first()
            .map_or(1, |partition| partition.replicas.len())
    }
}

/// A partition, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// What it holds.
    pub offsets: PartitionOffsets,
    /// The node that takes its records; -1 while there is none.
    pub leader: i32,
    /// The nodes that keep a copy of the partition.
    pub replicas: Vec<i32>,
    /// Those of the replicas that are in sync.
    pub isr: Vec<i32>,
}

/// What a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// The first offset that is still stored.
    pub beginning: u64,
    /// The next offset.
    pub end: u64,
}

/// When a record counts as produced, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acks {
    /// At once: no acknowledgement is waited for.
    None,
    /// The partition's leader has it.
    Leader,
    /// It is on the disk, or all replicas that are in sync have it.
    All,
}

/// The outcome of each record, in the order in which they were given.
pub type Outcomes = Pin<Box<dyn Future<Output = Vec<Result<Produced, TopicsError>>> + Send>>;

/// Topics with consumer groups.
#[async_trait]
pub trait TopicLog: Debug + Send + Sync {
    /// Makes a topic, durably.
    ///
    /// # Errors
    /// The draft breaks a rule, or there is a topic of this name.
    async fn create(&self, draft: TopicDraft) -> Result<TopicInfo, TopicsError>;

    /// Deletes a topic, its records and what groups have committed for it.
    ///
    /// # Errors
    /// There is none.
    async fn delete(&self, name: &str) -> Result<(), TopicsError>;

    /// The names of all topics, in order.
    ///
    /// # Errors
    /// The backend cannot be reached.
    async fn names(&self) -> Result<Vec<String>, TopicsError>;

    /// One topic.
    ///
    /// # Errors
    /// There is none of this name.
    async fn describe(&self, name: &str) -> Result<TopicInfo, TopicsError>;

    /// First and next offset of a partition.
    ///
    /// # Errors
    /// There is no such topic or partition.
    async fn offsets(&self, topic: &str, partition: i64) -> Result<PartitionOffsets, TopicsError>;

    /// Produces records to one topic, each to the partition given (-1: by the key's hash, else round robin). A record that
    /// breaks a rule is refused alone. Records stay in order where the futures are polled to their end in the order of the
    /// calls.
    fn submit(&self, topic: &str, records: Vec<(i64, NewRecord)>, acks: Acks) -> Outcomes;

    /// Produces records to one topic. Checks all of them before the first is sent.
    ///
    /// # Errors
    /// The first error found; [`TopicsError::Timeout`].
    async fn produce_all(
        &self,
        topic: &str,
        records: Vec<(i64, NewRecord)>,
        acks: Acks,
        timeout: Duration,
    ) -> Result<Vec<Produced>, TopicsError>;

    /// Reads one partition continuously.
    ///
    /// # Errors
    /// There is no such topic, partition or offset.
    async fn consume(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
    ) -> Result<Box<dyn Deliveries>, TopicsError>;

    /// Joins a group: reads the partitions of `topic` that it assigns, until what it returns is dropped.
    ///
    /// # Errors
    /// There is no such topic, or the name is none for a group.
    async fn join(
        &self,
        group: &str,
        identity: Identity,
        topic: &str,
        start: Start,
        pace: Pace,
    ) -> Result<Box<dyn Deliveries>, TopicsError>;

    /// Reads once: what there is from `start` on, or what comes within `max_wait`.
    ///
    /// # Errors
    /// There is no such topic, partition or offset, or it is damaged.
    async fn fetch(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
        max_wait: Duration,
    ) -> Result<Delivery, TopicsError>;

    /// Commits offsets (topic, partition, next offset to read), durably.
    ///
    /// # Errors
    /// A bad name of a group, no such topic or partition, a negative offset: then none is committed.
    async fn commit(
        &self,
        group: &str,
        offsets: Vec<(String, i64, i64)>,
    ) -> Result<(), TopicsError>;

    /// All groups, by name.
    ///
    /// # Errors
    /// The backend cannot be reached.
    async fn groups(&self) -> Result<Vec<GroupInfo>, TopicsError>;

    /// One group.
    ///
    /// # Errors
    /// There is none of this name.
    async fn group(&self, id: &str) -> Result<GroupInfo, TopicsError>;

    /// Deletes a group with its offsets.
    ///
    /// # Errors
    /// There is none, or it has members.
    async fn delete_group(&self, id: &str) -> Result<(), TopicsError>;

    /// Counters of what was produced and consumed here.
    fn counters(&self) -> &Counters;

    /// Number of topics, as far as this process knows it without a request.
    fn topic_count(&self) -> usize;

    /// Members of all groups together, as far as they read here.
    fn members(&self) -> usize;

    /// Whether the backend can be used, as far as this process knows it without a request.
    fn is_serving(&self) -> bool;

    /// Ends the background tasks. Call it when nothing is in flight any more.
    async fn close(&self);
}

/// Reads continuously: records of one partition, or of those that a group assigns.
#[async_trait]
pub trait Deliveries: Debug + Send {
    /// The topic's name.
    fn topic(&self) -> &str;

    /// Waits for records of one partition; at least one.
    ///
    /// # Errors
    /// The topic is deleted, an offset is not there (any more), the records are damaged, the service stops.
    async fn next(&mut self) -> Result<Delivery, TopicsError>;
}
