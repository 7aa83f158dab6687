//! What every part of the backend works on.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use kafka_client::{KafkaConfig, Timing};
use krafka::Kafka;
use krafka::admin::AdminClient;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use topics::{Counters, TopicsError};

use super::catalog::Catalog;
use super::failure;
use super::members::LocalMembers;
use super::producers::Producers;
use super::seen::Seen;

/// How topics on Kafka are used.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to reach Kafka.
    pub kafka: KafkaConfig,
    /// How Kafka's logs name us, where no client names itself.
    pub client_id: String,
    /// Longest wait for Kafka.
    pub timeout: Duration,
    /// Bytes of records that may wait for Kafka, for all topics together.
    pub queue_bytes: usize,
}

/// Topics on Kafka. Clones share everything.
#[derive(Clone, Debug)]
pub struct KafkaTopics(pub(crate) Arc<Shared>);

/// What all clones share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) kafka: Kafka,
    pub(crate) admin: AdminClient,
    pub(crate) settings: Settings,
    pub(crate) timing: Timing,
    pub(crate) catalog: Catalog,
    pub(crate) producers: Producers,
    pub(crate) local: LocalMembers,
    pub(crate) counters: Counters,
    pub(crate) stop: CancellationToken,
    pub(crate) behind: TaskTracker,
    pub(crate) watch: Seen,
    /// Records without a key go round, over all topics.
    pub(crate) round: topics::Partitioner,
    pub(crate) topic_count: AtomicUsize,
}

impl KafkaTopics {
    /// Runs `work` for as long as a caller waits.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, TopicsError>>,
    ) -> Result<T, TopicsError> {
        let done = tokio::time::timeout(self.0.timing.total, work).await;
        done.unwrap_or_else(|_| Err(failure::no_answer()))
    }
}
