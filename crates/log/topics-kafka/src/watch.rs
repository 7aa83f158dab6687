//! Whether Kafka answers: what health says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use krafka::admin::DescribeClusterOptions;

use super::handle::KafkaTopics;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Whether Kafka answered when it was last asked.
#[derive(Debug)]
pub(crate) struct Seen(AtomicBool);

impl Default for Seen {
    /// A backend is there only once Kafka has answered.
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Seen {
    pub(crate) fn is_answering(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, is_answering: bool) {
        if self.0.swap(is_answering, Ordering::Relaxed) == is_answering {
            return;
        }
        if is_answering {
            tracing::info!("Kafka answers again");
        } else {
            tracing::warn!("Kafka does not answer");
        }
    }
}

/// Asks Kafka now and then, until the stop.
pub(crate) async fn watch(topics: KafkaTopics) {
    let shared = &topics.0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shared.stop.cancelled() => return,
        }
        let options = DescribeClusterOptions::default().timeout(ANSWER_WITHIN);
        let asked = tokio::time::timeout(ANSWER_WITHIN, shared.admin.describe_cluster(options));
        shared.watch.note(matches!(asked.await, Ok(Ok(_))));
    }
}
