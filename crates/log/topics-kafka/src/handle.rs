//! The backend that the faces call.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use async_trait::async_trait;
use kafka_client::{Timing, connect_patiently};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use topics::{
    Acks, Counters, Deliveries, Delivery, GroupInfo, Identity, NewRecord, Outcomes, Pace,
    PartitionOffsets, Produced, Start, TopicDraft, TopicInfo, TopicLog, TopicsError,
};

use super::catalog::Catalog;
use super::members::LocalMembers;
use super::producers::Producers;
use super::seen::Seen;
use super::shared::{KafkaTopics, Settings, Shared};
use super::watch;

/// How long what runs behind may take to end: members leave their groups.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

impl KafkaTopics {
    /// Connects. Consumers end when `stop` is cancelled.
    ///
    /// # Errors
    /// A setting is wrong, or Kafka cannot be reached within 30 s.
    pub async fn open(settings: Settings, stop: CancellationToken) -> anyhow::Result<Self> {
        let timing = Timing::within(settings.timeout);
        let kafka = connect_patiently(&settings.kafka, &settings.client_id, timing).await?;
        let admin = kafka
            .admin()
            .default_api_timeout(timing.total)
            .metrics_push(false);
        let this = Self(Arc::new(Shared {
            catalog: Catalog::default(),
            producers: Producers::default(),
            local: LocalMembers::default(),
            counters: Counters::default(),
            behind: TaskTracker::new(),
            watch: Seen::default(),
            round: topics::Partitioner::default(),
            topic_count: AtomicUsize::new(0),
            kafka,
            admin,
            settings,
            timing,
            stop: stop.child_token(),
        }));
        this.names().await?;
        this.0.behind.spawn(watch::watch(this.clone()));
        Ok(this)
    }
}

#[async_trait]
impl TopicLog for KafkaTopics {
    async fn create(&self, draft: TopicDraft) -> Result<TopicInfo, TopicsError> {
        self.bounded(self.create_topic(draft)).await
    }

    async fn delete(&self, name: &str) -> Result<(), TopicsError> {
        self.bounded(self.delete_topic(name)).await
    }

    async fn names(&self) -> Result<Vec<String>, TopicsError> {
        self.bounded(self.list_topics()).await
    }

    async fn describe(&self, name: &str) -> Result<TopicInfo, TopicsError> {
        self.bounded(self.describe_topic(name)).await
    }

    async fn offsets(&self, topic: &str, partition: i64) -> Result<PartitionOffsets, TopicsError> {
        self.bounded(self.partition_offsets(topic, partition)).await
    }

    fn submit(&self, topic: &str, records: Vec<(i64, NewRecord)>, acks: Acks) -> Outcomes {
        let (this, topic) = (self.clone(), topic.to_owned());
        let timeout = self.0.timing.total;
        Box::pin(async move {
            let count = records.len();
            let sent = this.send(&topic, records, acks, false);
            match tokio::time::timeout(timeout, sent).await {
                Ok(outcomes) => outcomes,
                Err(_) => vec![Err(TopicsError::NotAcknowledged); count],
            }
        })
    }

    async fn produce_all(
        &self,
        topic: &str,
        records: Vec<(i64, NewRecord)>,
        acks: Acks,
        timeout: Duration,
    ) -> Result<Vec<Produced>, TopicsError> {
        let sent = self.send(topic, records, acks, true);
        let outcomes = tokio::time::timeout(timeout, sent).await;
        let outcomes = outcomes.map_err(|_| TopicsError::NotAcknowledged)?;
        outcomes.into_iter().collect()
    }

    async fn consume(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
    ) -> Result<Box<dyn Deliveries>, TopicsError> {
        let reader = self.read_partition(topic, partition, start, pace);
        Ok(Box::new(self.bounded(reader).await?))
    }

    async fn join(
        &self,
        group: &str,
        identity: Identity,
        topic: &str,
        start: Start,
        pace: Pace,
    ) -> Result<Box<dyn Deliveries>, TopicsError> {
        let reader = self.read_in_group(group, &identity, topic, start, pace);
        Ok(Box::new(self.bounded(reader).await?))
    }

    async fn fetch(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
        max_wait: Duration,
    ) -> Result<Delivery, TopicsError> {
        self.fetch_once(topic, partition, start, pace, max_wait)
            .await
    }

    async fn commit(
        &self,
        group: &str,
        offsets: Vec<(String, i64, i64)>,
    ) -> Result<(), TopicsError> {
        self.bounded(self.commit_offsets(group, offsets)).await
    }

    async fn groups(&self) -> Result<Vec<GroupInfo>, TopicsError> {
        self.bounded(self.list_groups()).await
    }

    async fn group(&self, id: &str) -> Result<GroupInfo, TopicsError> {
        self.bounded(self.describe_group(id)).await
    }

    async fn delete_group(&self, id: &str) -> Result<(), TopicsError> {
        self.bounded(self.remove_group(id)).await
    }

    fn counters(&self) -> &Counters {
        &self.0.counters
    }

    fn topic_count(&self) -> usize {
        self.0
            .topic_count
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    fn members(&self) -> usize {
        self.0.local.count()
    }

    fn is_serving(&self) -> bool {
        self.0.watch.is_answering()
    }

    async fn close(&self) {
        self.0.stop.cancel();
        self.0.producers.close(CLOSE_WITHIN).await;
        self.0.behind.close();
        if tokio::time::timeout(CLOSE_WITHIN, self.0.behind.wait())
            .await
            .is_err()
        {
            tracing::warn!("members did not leave their groups in time: Kafka finds out by itself");
        }
    }
}
