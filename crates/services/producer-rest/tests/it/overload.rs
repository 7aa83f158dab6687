//! Many at once: merges without loss, poison among good events, a full queue.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::http::Connection;
use testkit::postgres::lock_table;

use crate::events::refuse_id;
use crate::support::{EVENTS, Fixture, event};

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_merges_into_one_entity_lose_nothing() {
    let fixture = Fixture::start().await;
    for round in 0..5 {
        let id = format!("hot-{round}");
        let posts = (0..64).map(|task| {
            let event = event("Car", &id, &json!({format!("key{task}"): task}));
            let address = fixture.service.http();
            async move {
                Connection::open(address)
                    .await
                    .post_json(EVENTS, event.to_string())
                    .await
                    .status
            }
        });
        assert!(join_all(posts).await.iter().all(|status| *status == 200));
        let stored = fixture.stored("Car", &id).await.unwrap();
        let expected: serde_json::Map<String, Value> = (0..64)
            .map(|task| (format!("key{task}"), json!(task)))
            .collect();
        assert_eq!(stored, Value::Object(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_fails_alone() {
    // one writer, so that all events share its batches
    let fixture = Fixture::start_with(&[("WRITERS", "1")]).await;
    refuse_id(&fixture, "poison").await;
    // a lock holds the first batch back, so that the others gather into one
    let mut client = fixture.database.client().await;
    let lock = lock_table(&mut client, "car_entities", "EXCLUSIVE").await;
    let posts = (0..100).map(|n| {
        let id = if n % 10 == 5 {
            "poison".to_owned()
        } else {
            format!("good-{n}")
        };
        let address = fixture.service.http();
        async move {
            let event = event("Car", &id, &json!({"n": n})).to_string();
            (
                n,
                Connection::open(address)
                    .await
                    .post_json(EVENTS, event)
                    .await,
            )
        }
    });
    let release = async {
        // What the writers took first is in no queue.
        testkit::eventually("50 wait", async || {
            testkit::http::metric(fixture.service.http(), "ingest_queue_depth").await >= 50.0
        })
        .await;
        lock.commit().await.unwrap();
    };
    let (answers, ()) = tokio::join!(join_all(posts), release);
    for (n, answer) in answers {
        if n % 10 == 5 {
            assert_eq!(answer.status, 400, "{}", answer.text());
        } else {
            assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        }
    }
    let stored = client
        .query_one("SELECT count(*) FROM car_entities", &[])
        .await
        .unwrap();
    assert_eq!(stored.get::<_, i64>(0), 90);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_says_when_to_come_again() {
    let fixture = Fixture::start_with(&[("QUEUE_CAPACITY", "4"), ("WRITERS", "1")]).await;
    let mut client = fixture.database.client().await;
    let lock = lock_table(&mut client, "car_entities", "EXCLUSIVE").await;
    let posts = (0..50).map(|n| {
        let address = fixture.service.http();
        async move {
            let event = event("Car", &format!("c-{n}"), &json!({})).to_string();
            Connection::open(address)
                .await
                .post_json(EVENTS, event)
                .await
        }
    });
    let release = async {
        testkit::eventually("20 are refused", async || {
            testkit::http::metric(fixture.service.http(), "ingest_refused_total").await >= 20.0
        })
        .await;
        lock.commit().await.unwrap();
    };
    let (answers, ()) = tokio::join!(join_all(posts), release);
    let (stored, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert!(refused.len() >= 20, "{} refused", refused.len());
    for answer in refused {
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(answer.json()["error"], json!("unavailable"));
    }
    let rows = client
        .query_one("SELECT count(*) FROM car_entities", &[])
        .await
        .unwrap();
    assert_eq!(rows.get::<_, i64>(0), i64::try_from(stored.len()).unwrap());
}

#[tokio::test]
async fn an_event_that_waits_too_long_is_answered_and_the_service_goes_on() {
    let fixture = Fixture::start_with(&[("REQUEST_TIMEOUT", "300ms")]).await;
    let mut client = fixture.database.client().await;
    let lock = lock_table(&mut client, "car_entities", "EXCLUSIVE").await;
    let answer = fixture.post(&event("Car", "late", &json!({}))).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (503, &json!("unavailable"))
    );
    lock.commit().await.unwrap();
    assert_eq!(
        fixture.post(&event("Car", "next", &json!({}))).await.status,
        200
    );
}

#[tokio::test]
async fn persisted_events_are_counted_in_the_log() {
    let fixture = Fixture::start_with(&[("PERSISTED_COUNT_LOG_EVERY", "10")]).await;
    let mut connection = fixture.connect().await;
    for n in 0..20 {
        let event = event("Car", &format!("c-{n}"), &json!({})).to_string();
        assert_eq!(connection.post_json(EVENTS, event).await.status, 200);
    }
    let line = fixture
        .service
        .wait_for_log("Persisted events count: 20", Duration::from_secs(5));
    assert!(line.is_some(), "{}", fixture.service.log());
    fixture.service.told("Persisted events count: 10");
}
