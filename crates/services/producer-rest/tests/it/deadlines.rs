//! Every caller gets its own answer, at its own time, while the database keeps all of them waiting.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use testkit::http::Connection;
use testkit::postgres::lock_table;

use crate::support::{BULK, EVENTS, Fixture, event};

const LATE: &str = "no answer from the database in time: retry later";
const FULL: &str = "the queue is full: retry later";

#[tokio::test(flavor = "multi_thread")]
async fn bulks_and_singles_that_wait_together_each_get_their_own_answer() {
    let fixture = Fixture::start_with(&[
        ("QUEUE_CAPACITY", "400"),
        ("REQUEST_TIMEOUT", "1s"),
        ("MAX_BATCH_EVENTS", "50"),
    ])
    .await;
    let mut client = fixture.database.client().await;
    let lock = lock_table(&mut client, "car_entities", "EXCLUSIVE").await;
    let address = fixture.service.http();
    let bulks = join_all((0..4u32).map(|bulk| async move {
        // Each is older than the singles that come while its events wait for room.
        tokio::time::sleep(Duration::from_millis(150) * bulk).await;
        let events: Vec<Value> = (0..300)
            .map(|n| event("Car", &format!("b{bulk}-{n}"), &json!({})))
            .collect();
        let body = Value::Array(events).to_string();
        Connection::open(address).await.post_json(BULK, body).await
    }));
    let singles = join_all((0..200u32).map(|n| async move {
        tokio::time::sleep(Duration::from_millis(10) * n).await;
        let begun = Instant::now();
        let body = event("Car", &format!("s-{n}"), &json!({})).to_string();
        let answer = Connection::open(address)
            .await
            .post_json(EVENTS, body)
            .await;
        (n, answer, begun.elapsed())
    }));
    let release = async {
        // Time itself is tested: deadlines pass while the table is locked.
        tokio::time::sleep(Duration::from_millis(2700)).await;
        lock.commit().await.unwrap();
    };
    let ((bulks, singles), ()) = join(join(bulks, singles), release).await;
    let mut waited = 0;
    for (n, answer, took) in singles {
        if answer.status == 200 {
            continue;
        }
        let message = answer.json()["message"].clone();
        if message == json!(FULL) {
            continue;
        }
        assert_eq!((answer.status, &message), (503, &json!(LATE)), "{n}");
        assert!(
            took >= Duration::from_millis(990),
            "{n}: before its time, {took:?}"
        );
        assert!(
            took < Duration::from_millis(2500),
            "{n}: long after its time, {took:?}"
        );
        waited += 1;
    }
    assert!(waited > 0, "no single event waited in the queue");
    for answer in bulks {
        if answer.status == 503 {
            assert_eq!(answer.json()["message"], json!(LATE));
            continue;
        }
        let answer = answer.json();
        let sum =
            answer["processedCount"].as_u64().unwrap() + answer["failedCount"].as_u64().unwrap();
        assert_eq!(sum, 300, "{answer}");
    }
    let log = fixture.service.log();
    assert!(!log.contains("without an outcome"), "{log}");
}
