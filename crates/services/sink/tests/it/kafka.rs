//! sink as a process, between real Kafka brokers and a real PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::Event;
use events_kafka::{EventProducer, EventsTopic};
use kafka_client::KafkaConfig;
use krafka::consumer::AutoOffsetReset;
use testkit::Service;
use testkit::kafka::Kafka;
use testkit::postgres::Database;

const BINARY: &str = env!("CARGO_BIN_EXE_sink");

/// Longest wait for what is sure to come: brokers and members are found dead after seconds.
const PATIENCE: Duration = Duration::from_secs(120);

async fn eventually(what: &str, happened: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !happened().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn sink(kafka: &Kafka, database: &Database) -> Service {
    let environment = [
        ("DATABASE_URL", database.url()),
        ("KAFKA_BROKERS", kafka.brokers()),
    ];
    Service::start(BINARY, &environment)
}

async fn producer(kafka: &Kafka) -> EventProducer {
    let config = KafkaConfig {
        kafka_brokers: kafka.brokers().to_owned(),
        ..KafkaConfig::default()
    };
    let topic = EventsTopic {
        events_topic: "events".to_owned(),
        events_partitions: 12,
    };
    let timeout = Duration::from_secs(20);
    EventProducer::open(&config, &topic, "test", timeout)
        .await
        .unwrap()
}

fn event(id: &str, attributes: &str) -> Event {
    let text = format!(
        r#"{{"eventHeader":{{"eventName":"CarCreated"}},"eventBody":{{"entities":[
            {{"entityType":"Car","entityId":"{id}","updatedAttributes":{attributes}}}]}}}}"#
    );
    Event::from_json(text.as_bytes()).unwrap()
}

/// Sends an event; whether it was acknowledged.
async fn send(producer: &EventProducer, id: &str, attributes: &str) -> bool {
    match producer.enqueue(&event(id, attributes)).await {
        Ok(sent) => sent.acknowledged().await.is_ok(),
        Err(_) => false,
    }
}

/// Counts how often each entity is written, in the transactions that write it.
async fn count_merges(database: &Database) {
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
async fn merges(database: &Database) -> BTreeMap<String, i64> {
    let rows = "SELECT id, count(*) FROM merges GROUP BY id";
    let rows = database.client().await.query(rows, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn merged(database: &Database) -> i64 {
    let count = "SELECT count(*) FROM merges";
    let row = database.client().await.query_one(count, &[]).await;
    row.unwrap().get(0)
}

async fn grows(database: &Database, by: i64) {
    let before = merged(database).await;
    eventually("events are merged", async || {
        merged(database).await >= before + by
    })
    .await;
}

async fn metric(sink: &Service, name: &str) -> f64 {
    let page = testkit::http::get(sink.http(), "/metrics").await;
    let text = page.text().to_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {text}"))
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_acknowledged_event_is_merged_once_while_sinks_and_a_broker_are_killed() {
    let Some(kafka) = Kafka::start(3) else { return };
    let database = Database::fresh().await;
    let producer = producer(&kafka).await;
    let mut sinks = vec![sink(&kafka, &database), sink(&kafka, &database)];
    count_merges(&database).await;
    let done = Arc::new(AtomicBool::new(false));
    let writers = (0..4).map(|writer| {
        let (producer, done) = (producer.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                // An entity each: merged twice, it would be written twice.
                let id = format!("{writer}-{number}");
                number += 1;
                if send(&producer, &id, r#"{"n":1}"#).await {
                    acknowledged.push(id);
                }
            }
            acknowledged
        })
    });
    let writers: Vec<_> = writers.collect();
    for round in 0..6 {
        grows(&database, 200).await;
        if round == 2 {
            kafka.kill(2);
        }
        let victim = round % 2;
        sinks[victim].kill();
        sinks[victim] = sink(&kafka, &database);
        if round == 4 {
            kafka.start_again(2);
        }
    }
    done.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert!(acknowledged.len() >= 1200, "{}", acknowledged.len());
    eventually("all acknowledged events are merged", async || {
        let merges = merges(&database).await;
        acknowledged.iter().all(|id| merges.contains_key(id))
    })
    .await;
    let twice: Vec<_> = merges(&database)
        .await
        .into_iter()
        .filter(|(_, times)| *times > 1)
        .collect();
    assert!(twice.is_empty(), "{twice:?}");
    eventually("the lag is zero", async || {
        let mut lag = 0.0;
        for sink in &sinks {
            lag += metric(sink, "sink_lag_records").await;
        }
        lag == 0.0
    })
    .await;
}

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
    reasons.sort();
    assert!(reasons[1].contains("database refused"), "{reasons:?}");
    assert!(!reasons[0].is_empty(), "{reasons:?}");
}
