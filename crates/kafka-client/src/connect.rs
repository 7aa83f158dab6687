//! A handle of the client, with which producers, consumers and the administration share connections.

use std::time::{Duration, Instant};

use anyhow::Context;
use krafka::{Kafka, KrafkaError};

use super::config::KafkaConfig;

/// How long a service tries to reach Kafka at its start, as it does with a database.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// From one try to the next.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Certificates are read again so often.
const TLS_RELOAD: Duration = Duration::from_secs(60);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// All that a caller waits for, with its retries.
    pub total: Duration,
    /// One request to one broker: a broker that does not answer leaves time for another.
    pub request: Duration,
}

impl Timing {
    /// For callers that wait for `total`.
    #[must_use]
    pub fn within(total: Duration) -> Self {
        let request = (total / 3).clamp(Duration::from_millis(100), Duration::from_secs(10));
        Self { total, request }
    }
}

/// Connects as `client_id`.
///
/// # Errors
/// A setting is wrong; no broker answers; Kafka does not take the credentials.
pub async fn connect(
    config: &KafkaConfig,
    client_id: &str,
    timing: Timing,
) -> anyhow::Result<Kafka> {
    let kafka = Kafka::builder(config.kafka_brokers.trim())
        .client_id(client_id)
        .security(config.security()?)
        .request_timeout(timing.request)
        .connect_timeout(timing.request)
        .tls_reload_interval(config.kafka_tls.then_some(TLS_RELOAD));
    Ok(kafka.connect().await?)
}

/// [`connect()`] at the start of a service: tried for 30 s, unless waiting cannot help.
///
/// # Errors
/// The same, with KAFKA_BROKERS.
pub async fn connect_patiently(
    config: &KafkaConfig,
    client_id: &str,
    timing: Timing,
) -> anyhow::Result<Kafka> {
    let begun = Instant::now();
    loop {
        let error = match connect(config, client_id, timing).await {
            Ok(kafka) => return Ok(kafka),
            Err(error) => error,
        };
        if !waiting_helps(&error) || begun.elapsed() >= START_PATIENCE {
            return Err(error).with_context(|| format!("KAFKA_BROKERS {}", config.kafka_brokers));
        }
        tracing::warn!(
            brokers = config.kafka_brokers,
            error = format!("{error:#}"),
            "Kafka cannot be reached yet"
        );
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

fn waiting_helps(error: &anyhow::Error) -> bool {
    error.downcast_ref::<KrafkaError>().is_some_and(|error| {
        matches!(
            error,
            KrafkaError::Network(_) | KrafkaError::Timeout { .. } | KrafkaError::Broker { .. }
        )
    })
}
