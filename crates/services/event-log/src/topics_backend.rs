//! Opens what keeps the topics: files, or Apache Kafka.

use std::sync::Arc;

use anyhow::Context;
use group_commit::{Directory, Terms};
use tokio_util::sync::CancellationToken;
use topics::{TopicLog, Topics};

use crate::config::{Config, TopicsBackend};

/// Opens the topics that `config` names. Consumers end when `stop` is cancelled.
///
/// # Errors
/// A file cannot be used; Kafka cannot be reached, or is not built in.
pub(crate) async fn open(
    config: &Config,
    directory: Arc<Directory>,
    terms: Terms,
    stop: CancellationToken,
) -> anyhow::Result<Arc<dyn TopicLog>> {
    match config.topics.topics_backend {
        TopicsBackend::Files => {
            let options = config.topics.options(terms);
            let opening = move || Topics::open(directory, &options, stop);
            let topics = tokio::task::spawn_blocking(opening)
                .await?
                .context("the files of topics")?;
            Ok(Arc::new(topics))
        }
        TopicsBackend::Kafka => on_kafka(config, stop).await,
    }
}

#[cfg(feature = "kafka")]
async fn on_kafka(config: &Config, stop: CancellationToken) -> anyhow::Result<Arc<dyn TopicLog>> {
    let settings = topics_kafka::Settings {
        kafka: config.topics.kafka.clone(),
        client_id: "event-log".to_owned(),
        timeout: config.store.request_timeout,
        queue_bytes: usize::try_from(config.store.queue_bytes).unwrap_or(usize::MAX),
    };
    Ok(Arc::new(
        topics_kafka::KafkaTopics::open(settings, stop).await?,
    ))
}

#[cfg(not(feature = "kafka"))]
async fn on_kafka(_: &Config, _: CancellationToken) -> anyhow::Result<Arc<dyn TopicLog>> {
    anyhow::bail!(
        "TOPICS_BACKEND=kafka: this program was built without Kafka; build it with --features kafka"
    )
}
