//! Events to Apache Kafka: acknowledged without a database, or waited for until a sink has merged them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::eventually;
use testkit::http::{self, Response};
use testkit::kafka::Kafka;
use testkit::postgres::Database;
use testkit::process::Service;

use super::support::{BINARY, BULK, EVENTS, entity, event};
use in_process::sink;

#[path = "../../../sink/tests/it/in_process.rs"]
mod in_process;

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
    eventually("health says so", async || health().await == 503).await;
    kafka.start_again(1);
    eventually("events are taken again", async || {
        post(EVENTS, car.to_string()).await.status == 200
    })
    .await;
    eventually("health says so", async || health().await == 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_applied_is_answered_when_a_reader_of_the_table_sees_the_event() {
    let Some(kafka) = Kafka::start(1) else { return };
    let database = Database::fresh().await;
    let settings = [
        ("WRITE_MODE", "kafka"),
        ("KAFKA_BROKERS", kafka.brokers()),
        ("DATABASE_URL", database.url()),
        ("REQUEST_TIMEOUT", "4s"),
    ];
    let service = Service::start(BINARY, &settings);
    let post = async |path: &str, body: Value| -> Response {
        http::post_json(service.http(), path, body.to_string()).await
    };
    let (applied, applied_bulk) = (
        format!("{EVENTS}?wait=applied"),
        format!("{BULK}?wait=applied"),
    );

    // No sink runs, and none has made its tables.
    let late = post(&applied, event("Car", "early", &json!({"n": 1}))).await;
    assert_eq!(late.status, 503, "{}", late.text());
    for named in [
        "wait=applied",
        "SINK_GROUP",
        "REQUEST_TIMEOUT",
        "do not send it again",
    ] {
        assert!(late.text().contains(named), "{}", late.text());
    }
    let unknown = post(&format!("{EVENTS}?wait=x"), event("Car", "x", &json!({}))).await;
    assert_eq!(unknown.status, 400, "{}", unknown.text());
    assert!(
        unknown
            .text()
            .contains("wait must be 'applied' or 'stored'"),
        "{}",
        unknown.text()
    );
    let stored = post(
        &format!("{EVENTS}?wait=stored"),
        event("Car", "b", &json!({"n": 1})),
    )
    .await;
    assert_eq!(stored.status, 200, "{}", stored.text());

    let running = sink(&kafka, &database).await;
    eventually("the sink has caught up", async || {
        stored_in(&database, "early").await.is_some()
    })
    .await;
    for n in 0..20 {
        let id = format!("car-{n}");
        let answer = post(&applied, event("Car", &id, &json!({"n": n}))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            stored_in(&database, &id).await,
            Some(json!({"n": n})),
            "seen at once"
        );
    }
    let cars = (0..200).map(|n| event("Car", &format!("bulk-{n}"), &json!({"n": n})));
    let answer = post(&applied_bulk, cars.collect()).await.json();
    assert_eq!(answer["processedCount"], 200, "{answer}");
    for n in [0, 99, 199] {
        assert!(
            stored_in(&database, &format!("bulk-{n}")).await.is_some(),
            "{n}"
        );
    }

    let refuse = "
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'data_exception'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON car_entities FOR EACH ROW WHEN (NEW.id = 'refused') EXECUTE FUNCTION refuse();";
    database.client().await.batch_execute(refuse).await.unwrap();
    let refused = post(&applied, event("Car", "refused", &json!({}))).await;
    assert_eq!(
        refused.status,
        400,
        "a dead letter is told: {}",
        refused.text()
    );
    assert!(
        refused.text().contains("the database refused"),
        "{}",
        refused.text()
    );
    let answer = post(
        &applied_bulk,
        json!([
            event("Car", "good", &json!({})),
            event("Car", "refused", &json!({}))
        ]),
    )
    .await
    .json();
    assert_eq!(
        (&answer["processedCount"], &answer["failures"][0]["index"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );

    let reason = "ingest_refused_total{reason=\"not_applied\"}";
    assert_eq!(http::metric(service.http(), reason).await, 1.0);
    drop(running);
}

async fn stored_in(database: &Database, id: &str) -> Option<Value> {
    super::support::stored(database.url(), "Car", id).await
}
