//! Events to Apache Kafka, without a database.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::http::{self, Response};
use testkit::kafka::Kafka;
use testkit::process::Service;

use super::support::{BINARY, BULK, EVENTS, entity, event};

/// Longest wait for what is sure to come.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, happened: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn events_are_acknowledged_by_kafka_without_a_database_and_refused_while_it_is_away() {
    let Some(kafka) = Kafka::start(1) else { return };
    let settings = [
        ("WRITE_MODE", "kafka"),
        ("KAFKA_BROKERS", kafka.brokers()),
        // Nobody listens there.
        (
            "DATABASE_URL",
            "postgresql://postgres:password@127.0.0.1:1/none",
        ),
        ("REQUEST_TIMEOUT", "2s"),
    ];
    let service = Service::start(BINARY, &settings);
    let post = async |path: &str, body: String| -> Response {
        http::post_json(service.http(), path, body).await
    };
    let car = event("Car", "a", &json!({"n": 1}));
    let stored = post(EVENTS, car.to_string()).await;
    assert_eq!(stored.status, 200, "{}", stored.text());
    let bad = json!({"eventHeader": {"eventName": "x"}, "eventBody": {"entities": [entity("", "a", &json!({}))]}});
    assert_eq!(post(EVENTS, bad.to_string()).await.status, 400);
    let bulk = json!([car, bad, car, car]).to_string();
    let stored = post(BULK, bulk).await.json();
    assert_eq!(
        (&stored["processedCount"], &stored["failedCount"]),
        (&json!(3), &json!(1))
    );
    let health = async || {
        http::get(service.http(), "/api/v1/events/health")
            .await
            .status
    };
    assert_eq!(health().await, 200);

    kafka.kill(1);
    let begun = Instant::now();
    let refused = post(EVENTS, car.to_string()).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("retry later"), "{}", refused.text());
    // Within its timeout, on a busy machine.
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    until("health says so", async || health().await == 503).await;
    kafka.start_again(1);
    until("events are taken again", async || {
        post(EVENTS, car.to_string()).await.status == 200
    })
    .await;
    until("health says so", async || health().await == 200).await;
}
