//! Events to Kafka: acknowledged when all replicas in sync have them, merged later by the service `sink`.

use std::time::Duration;

use domain::Event;
use events_kafka::producer::Sent;
use events_kafka::{EventProducer, SendError};

use crate::config::{IngestConfig, WriteMode};
use crate::error::{IngestError, Outcome};

/// How Kafka's logs name producers.
const CLIENT_ID: &str = "producer";
/// How long events that wait may take at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Sends events, where the settings say so.
#[derive(Clone, Debug)]
pub(crate) struct OnKafka(EventProducer);

impl OnKafka {
    pub(crate) async fn open(config: &IngestConfig) -> anyhow::Result<Option<Self>> {
        if config.write_mode != WriteMode::Kafka {
            return Ok(None);
        }
        let timeout = config.request_timeout;
        let producer = EventProducer::open(&config.kafka, &config.events, CLIENT_ID, timeout);
        Ok(Some(Self(producer.await?)))
    }

    /// Sends one event and waits for the acknowledgement.
    pub(crate) async fn send(&self, event: &Event) -> Outcome {
        acknowledged(self.0.enqueue(event).await).await
    }

    /// Sends all in order, then waits for each.
    pub(crate) async fn send_all(&self, events: &[(u64, Event)]) -> Vec<(u64, Outcome)> {
        let mut sent = Vec::with_capacity(events.len());
        for (index, event) in events {
            sent.push((*index, self.0.enqueue(event).await));
        }
        let mut outcomes = Vec::with_capacity(events.len());
        for (index, sent) in sent {
            outcomes.push((index, acknowledged(sent).await));
        }
        outcomes
    }

    pub(crate) async fn answers(&self) -> bool {
        self.0.answers().await
    }

    pub(crate) async fn close(&self) {
        self.0.close(CLOSE_WITHIN).await;
    }
}

async fn acknowledged(sent: Result<Sent, SendError>) -> Outcome {
    let outcome = match sent {
        Ok(sent) => sent.acknowledged().await,
        Err(error) => Err(error),
    };
    outcome.map_err(|error| match error {
        SendError::NotAcknowledged => IngestError::NotAcknowledged,
        SendError::Unavailable => IngestError::Kafka,
        SendError::TooLarge => IngestError::Refused,
        SendError::Internal => IngestError::Internal,
    })
}
