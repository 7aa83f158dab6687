//! The order of events, and what cannot be merged.

use std::time::Duration;

use krafka::consumer::AutoOffsetReset;
use testkit::kafka::Kafka;
use testkit::postgres::Database;

use super::support::{count_merges, eventually, metric, producer, send, sink};

#[tokio::test(flavor = "multi_thread")]
async fn events_are_merged_in_order_and_what_cannot_be_is_a_dead_letter() {
    let Some(kafka) = Kafka::start(1) else { return };
    let database = Database::fresh().await;
    let producer = producer(&kafka).await;
    let sink = sink(&kafka, &database);
    count_merges(&database).await;
    for n in 0..100 {
        assert!(send(&producer, "one", &format!(r#"{{"last":{n},"n{n}":true}}"#)).await);
    }
    // No event, and an event that PostgreSQL refuses, each among good ones.
    let raw = producer.enqueue_to("events", b"Car\0one".to_vec(), b"no event".to_vec(), &[]);
    raw.await.unwrap().acknowledged().await.unwrap();
    assert!(send(&producer, "refused", "{}").await);
    assert!(send(&producer, "one", r#"{"last":"after"}"#).await);
    assert!(send(&producer, "other", r#"{"n":12345678901234567890.10}"#).await);
    let client = database.client().await;
    let data = async |id: &str| {
        let read = "SELECT data::text FROM car_entities WHERE id = $1";
        let row = client.query_opt(read, &[&id]).await.unwrap();
        row.map(|row| row.get::<_, String>(0)).unwrap_or_default()
    };
    eventually("the last event is merged", async || {
        data("one").await.contains(r#""after""#)
            && data("other").await.contains("12345678901234567890.10")
    })
    .await;
    let one: serde_json::Value = serde_json::from_str(&data("one").await).unwrap();
    assert_eq!(
        one.as_object().unwrap().len(),
        101,
        "all keys of all events: {one}"
    );
    eventually("two dead letters", async || {
        metric(&sink, "sink_dead_letters_total").await == 2.0
    })
    .await;
    assert_eq!(data("refused").await, "");

    let kafka = krafka::Kafka::builder(kafka.brokers())
        .connect()
        .await
        .unwrap();
    let reader = kafka
        .consumer_without_group()
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()
        .await
        .unwrap();
    reader.subscribe(["events-dead"]).await.unwrap();
    let mut reasons = Vec::new();
    while reasons.len() < 2 {
        for record in reader.poll(Duration::from_secs(1)).await.unwrap() {
            reasons.push(record.header_str("reason").unwrap().to_owned());
            assert_eq!(record.header_str("topic"), Some("events"));
        }
    }
    let noted = "SELECT reason FROM sink_dead_letters ORDER BY reason";
    let noted = client.query(noted, &[]).await.unwrap();
    let noted: Vec<String> = noted.iter().map(|row| row.get(0)).collect();
    reasons.sort();
    assert_eq!(noted, reasons, "the database knows them too");
    assert!(reasons[1].contains("database refused"), "{reasons:?}");
    assert!(!reasons[0].is_empty(), "{reasons:?}");
}
