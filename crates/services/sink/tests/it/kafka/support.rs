//! Brokers, a database, sinks between them, and events to send; how often each was merged.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::Event;
use events_kafka::{EventProducer, EventsTopic};
use kafka_client::KafkaConfig;
use testkit::Service;
use testkit::kafka::Kafka;
use testkit::postgres::Database;

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_sink");

/// Longest wait for what is sure to come: brokers and members are found dead after seconds.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn eventually(what: &str, happened: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) fn sink(kafka: &Kafka, database: &Database) -> Service {
    let environment = [
        ("DATABASE_URL", database.url()),
        ("KAFKA_BROKERS", kafka.brokers()),
    ];
    Service::start(BINARY, &environment)
}

pub(super) async fn producer(kafka: &Kafka) -> EventProducer {
    let config = KafkaConfig {
        kafka_brokers: kafka.brokers().to_owned(),
        ..KafkaConfig::default()
    };
    let topic = EventsTopic {
        events_topic: "events".to_owned(),
        events_partitions: 12,
        sink_group: "sink".to_owned(),
    };
    let timeout = Duration::from_secs(20);
    EventProducer::open(&config, &topic, "test", timeout)
        .await
        .unwrap()
}

pub(super) fn event(id: &str, attributes: &str) -> Event {
    let text = format!(
        r#"{{"eventHeader":{{"eventName":"CarCreated"}},"eventBody":{{"entities":[
            {{"entityType":"Car","entityId":"{id}","updatedAttributes":{attributes}}}]}}}}"#
    );
    Event::from_json(text.as_bytes()).unwrap()
}

/// Sends an event; whether it was acknowledged.
pub(super) async fn send(producer: &EventProducer, id: &str, attributes: &str) -> bool {
    match producer.enqueue(&event(id, attributes)).await {
        Ok(sent) => sent.acknowledged().await.is_ok(),
        Err(_) => false,
    }
}

/// Counts how often each entity is written, in the transactions that write it.
pub(super) async fn count_merges(database: &Database) {
    let counted = "
        CREATE TABLE merges (id text, at timestamptz DEFAULT clock_timestamp());
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF NEW.id = 'refused' THEN
                    RAISE EXCEPTION 'refused' USING ERRCODE = 'data_exception';
                END IF;
                INSERT INTO merges (id) VALUES (NEW.id);
                RETURN NEW;
            END $$;
        CREATE TRIGGER note BEFORE INSERT OR UPDATE ON car_entities FOR EACH ROW EXECUTE FUNCTION note();";
    database
        .client()
        .await
        .batch_execute(counted)
        .await
        .unwrap();
}

/// By entity, how often it was written. An upsert of a row that is there fires for the insert and for the update.
pub(super) async fn merges(database: &Database) -> BTreeMap<String, i64> {
    let rows = "SELECT id, count(*) FROM merges GROUP BY id";
    let rows = database.client().await.query(rows, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

pub(super) async fn merged(database: &Database) -> i64 {
    let count = "SELECT count(*) FROM merges";
    let row = database.client().await.query_one(count, &[]).await;
    row.unwrap().get(0)
}

pub(super) async fn grows(database: &Database, by: i64) {
    let before = merged(database).await;
    eventually("events are merged", async || {
        merged(database).await >= before + by
    })
    .await;
}

pub(super) async fn metric(sink: &Service, name: &str) -> f64 {
    let page = testkit::http::get(sink.http(), "/metrics").await;
    let text = page.text().to_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {text}"))
        .parse()
        .unwrap()
}
