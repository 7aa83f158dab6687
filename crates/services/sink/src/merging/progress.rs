//! How far the sink is, for its metrics and for tools that ask Kafka.

use krafka::consumer::{OffsetAndMetadata, TopicPartition};
use tokio::time::Instant;

use super::{Merging, RETRY_AFTER, TELL_KAFKA_EVERY};

impl Merging {
    /// Shows the lag in the metrics.
    pub(super) async fn show_lag(&self) {
        let lag = self.consumer.lag().await;
        let mut behind = 0;
        for (place, lag) in &lag {
            if let (Some(end), true) = (lag.high_watermark, self.positions.knows(place.partition)) {
                behind += (end - self.positions.next(place.partition)).max(0);
            }
        }
        self.metrics.lag.set(behind);
        let partitions = i64::try_from(lag.len()).unwrap_or(i64::MAX);
        self.metrics.partitions.set(partitions);
    }

    /// Tells Kafka how far the sink is, once in a while or `now`.
    pub(super) async fn tell_kafka(&mut self, now: bool) {
        if !now && self.told.elapsed() < TELL_KAFKA_EVERY {
            return;
        }
        self.told = Instant::now();
        let assigned = self.consumer.assignment().await;
        let partitions = assigned
            .get(&self.source.topic)
            .cloned()
            .unwrap_or_default();
        let known = partitions
            .into_iter()
            .filter(|partition| self.positions.knows(*partition));
        let offsets: Vec<_> = known
            .map(|partition| {
                let place = TopicPartition::new(&self.source.topic, partition);
                (
                    place,
                    OffsetAndMetadata::new(self.positions.next(partition)),
                )
            })
            .collect();
        if offsets.is_empty() {
            return;
        }
        let told = tokio::time::timeout(RETRY_AFTER * 10, self.consumer.commit_offsets(offsets));
        if !matches!(told.await, Ok(Ok(()))) {
            tracing::debug!("Kafka was not told how far the sink is");
        }
    }
}
