//! Keeps records that cannot be merged, each with its reason, in a topic of their own.

use events_kafka::{EventProducer, SendError};

use super::taken::Taken;

/// The topic of dead letters.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    pub(crate) producer: EventProducer,
    pub(crate) topic: String,
    /// The topic that the records come from.
    pub(crate) source: String,
}

impl DeadLetters {
    /// Keeps a record as it came, with headers that say where it was and why it is here. After a crash it can be here twice.
    pub(crate) async fn keep(&self, taken: &Taken, reason: &str) -> Result<(), SendError> {
        let headers = [
            ("reason", reason.to_owned()),
            ("topic", self.source.clone()),
            ("partition", taken.partition.to_string()),
            ("offset", taken.offset.to_string()),
        ];
        let (key, value) = (taken.key.to_vec(), taken.value.to_vec());
        let sent = self
            .producer
            .enqueue_to(&self.topic, key, value, &headers)
            .await?;
        sent.acknowledged().await?;
        tracing::warn!(
            topic = self.source,
            partition = taken.partition,
            offset = taken.offset,
            reason,
            "a record cannot be merged: it is a dead letter"
        );
        Ok(())
    }
}
