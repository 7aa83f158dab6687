//! The files of this crate as a [`TopicLog`].

use std::time::Duration;

use async_trait::async_trait;
use group_commit::Durability;

use super::backend::{
    Acks, Deliveries, Outcomes, PartitionOffsets, TopicDraft, TopicInfo, TopicLog,
};
use super::consumer::{Consumer, Delivery};
use super::counters::Counters;
use super::error::TopicsError;
use super::groups::{GroupInfo, Identity};
use super::handle::Topics;
use super::pace::{Pace, Start};
use super::record::{NewRecord, Produced};

impl Acks {
    /// Without replicas the leader's word is that of the operating system, and all is the disk.
    fn durability(self) -> Durability {
        match self {
            Self::None | Self::Leader => Durability::Buffered,
            Self::All => Durability::Synced,
        }
    }
}

#[async_trait]
impl TopicLog for Topics {
    async fn create(&self, draft: TopicDraft) -> Result<TopicInfo, TopicsError> {
        Topics::create(self, draft).await
    }

    async fn delete(&self, name: &str) -> Result<(), TopicsError> {
        Topics::delete(self, name).await
    }

    async fn names(&self) -> Result<Vec<String>, TopicsError> {
        Ok(Topics::names(self))
    }

    async fn describe(&self, name: &str) -> Result<TopicInfo, TopicsError> {
        Topics::describe(self, name)
    }

    async fn offsets(&self, topic: &str, partition: i64) -> Result<PartitionOffsets, TopicsError> {
        Topics::offsets(self, topic, partition)
    }

    /// They wait for the disk from now on, whenever the future is polled.
    fn submit(&self, topic: &str, records: Vec<(i64, NewRecord)>, acks: Acks) -> Outcomes {
        Box::pin(self.submit_each(topic, records, acks.durability()))
    }

    async fn produce_all(
        &self,
        topic: &str,
        records: Vec<(i64, NewRecord)>,
        acks: Acks,
        timeout: Duration,
    ) -> Result<Vec<Produced>, TopicsError> {
        Topics::produce_all(self, topic, records, acks.durability(), timeout).await
    }

    async fn consume(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
    ) -> Result<Box<dyn Deliveries>, TopicsError> {
        let consumer = Topics::consume(self, topic, partition, start, pace)?;
        Ok(Box::new(consumer))
    }

    async fn join(
        &self,
        group: &str,
        identity: Identity,
        topic: &str,
        start: Start,
        pace: Pace,
    ) -> Result<Box<dyn Deliveries>, TopicsError> {
        let consumer = Topics::join(self, group, identity, topic, start, pace)?;
        Ok(Box::new(consumer))
    }

    async fn fetch(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
        max_wait: Duration,
    ) -> Result<Delivery, TopicsError> {
        Topics::fetch(self, topic, partition, start, pace, max_wait).await
    }

    async fn commit(
        &self,
        group: &str,
        offsets: Vec<(String, i64, i64)>,
    ) -> Result<(), TopicsError> {
        Topics::commit(self, group, offsets).await
    }

    async fn groups(&self) -> Result<Vec<GroupInfo>, TopicsError> {
        Ok(Topics::groups(self))
    }

    async fn group(&self, id: &str) -> Result<GroupInfo, TopicsError> {
        Topics::group(self, id)
    }

    async fn delete_group(&self, id: &str) -> Result<(), TopicsError> {
        Topics::delete_group(self, id).await
    }

    fn counters(&self) -> &Counters {
        Topics::counters(self)
    }

    fn topic_count(&self) -> usize {
        Topics::names(self).len()
    }

    fn members(&self) -> usize {
        Topics::members(self)
    }

    /// Full or failing disks are seen by who looks after the directory.
    fn is_serving(&self) -> bool {
        true
    }

    async fn close(&self) {
        let this = self.clone();
        // A panic in there is on standard error.
        drop(tokio::task::spawn_blocking(move || Topics::close(&this)).await);
    }
}

#[async_trait]
impl Deliveries for Consumer {
    fn topic(&self) -> &str {
        Consumer::topic(self)
    }

    async fn next(&mut self) -> Result<Delivery, TopicsError> {
        Consumer::next(self).await
    }
}
