//! The anchors that the command line names.

use super::command::AnchoredBy;
use crate::anchors::Anchors;

/// How long Kafka may take to answer.
#[cfg(feature = "kafka")]
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// None where no topic is named.
#[cfg(feature = "kafka")]
pub(super) async fn open(anchored: AnchoredBy) -> anyhow::Result<Option<Anchors>> {
    let Some(topic) = anchored.anchor_topic else {
        return Ok(None);
    };
    let settings = topics_kafka::Settings {
        kafka: anchored.kafka,
        client_id: "event-log".to_owned(),
        timeout: TIMEOUT,
        // Nothing is produced.
        queue_bytes: 1,
    };
    // Until the process ends.
    let stop = tokio_util::sync::CancellationToken::new();
    let topics = topics_kafka::KafkaTopics::open(settings, stop).await?;
    let topics = std::sync::Arc::new(topics);
    Ok(Some(Anchors::of_topic(&topic, topics, TIMEOUT)))
}

/// None where no topic is named.
#[cfg(not(feature = "kafka"))]
pub(super) async fn open(anchored: AnchoredBy) -> anyhow::Result<Option<Anchors>> {
    anyhow::ensure!(
        anchored.anchor_topic.is_none(),
        "--anchor-topic: this program was built without Kafka; build it with --features kafka"
    );
    Ok(None)
}
