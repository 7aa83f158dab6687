//! Whether Kafka answers: what health says.

use std::time::Duration;

use krafka::admin::DescribeClusterOptions;

use super::shared::KafkaTopics;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

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
