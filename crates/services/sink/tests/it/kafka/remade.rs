//! A topic that is made again, under a database that knows the one before.

use krafka::admin::DeleteTopicsOptions;
use testkit::kafka::Kafka;
use testkit::postgres::Database;

use super::support::{count_merges, eventually, merges, producer, send, sink};

/// The events of the first topic, which leave every partition further than the second topic will be.
const BEFORE: usize = 200;
const AFTER: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_topic_that_is_made_again_are_merged_though_their_offsets_were_merged_before()
 {
    let database = Database::fresh().await;
    let all = async |kind: &str, count: usize| {
        let merges = merges(&database).await;
        let named = |n: usize| merges.get(&format!("{kind}-{n}")).copied();
        (0..count).all(|n| named(n) == Some(1))
    };
    for (kind, count) in [("before", BEFORE), ("after", AFTER)] {
        // A cluster of its own: what it stores begins at offset 0.
        let Some(kafka) = Kafka::start(1) else { return };
        let producer = producer(&kafka).await;
        let mut sink = sink(&kafka, &database);
        if kind == "before" {
            count_merges(&database).await;
        }
        for n in 0..count {
            assert!(send(&producer, &format!("{kind}-{n}"), "{}").await);
        }
        eventually("all events are merged once", async || {
            all(kind, count).await
        })
        .await;
        sink.terminate();
    }
    assert!(all("before", BEFORE).await, "each is still merged once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_runs_goes_on_with_the_topic_that_is_made_again() {
    let Some(kafka) = Kafka::start(1) else { return };
    let database = Database::fresh().await;
    let first = producer(&kafka).await;
    let _sink = sink(&kafka, &database);
    count_merges(&database).await;
    let all = async |kind: &str, count: usize| {
        let merges = merges(&database).await;
        let named = |n: usize| merges.get(&format!("{kind}-{n}")).copied();
        (0..count).all(|n| named(n) == Some(1))
    };
    for n in 0..BEFORE {
        assert!(send(&first, &format!("before-{n}"), "{}").await);
    }
    eventually("the first topic is merged", async || {
        all("before", BEFORE).await
    })
    .await;

    let client = krafka::Kafka::builder(kafka.brokers())
        .connect()
        .await
        .unwrap();
    let deleted = client
        .admin()
        .delete_topics(["events"], DeleteTopicsOptions::default())
        .await
        .unwrap();
    assert!(deleted["events"].is_ok());
    // Another producer, which makes the topic again.
    let second = producer(&kafka).await;
    for n in 0..AFTER {
        let id = format!("after-{n}");
        eventually("the event is taken", async || {
            send(&second, &id, "{}").await
        })
        .await;
    }
    eventually("the second topic is merged", async || {
        let merges = merges(&database).await;
        (0..AFTER).all(|n| merges.contains_key(&format!("after-{n}")))
    })
    .await;
    assert!(all("before", BEFORE).await, "each is still merged once");
}
