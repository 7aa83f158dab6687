//! Events that come while nobody writes: their own requests write them, on connections that come off the pool.

use serde_json::json;
use testkit::http;

use crate::support::{EVENTS, Fixture, event};

/// The value of a counter without labels.
async fn counter(fixture: &Fixture, name: &str) -> u64 {
    let page = http::get(fixture.service.http(), "/metrics").await;
    let page = page.text();
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.trim().parse::<f64>().ok());
    value.unwrap_or_else(|| panic!("no {name} in {page}")) as u64
}

/// Connections of the service to its database.
async fn connections(fixture: &Fixture) -> i64 {
    let client = testkit::postgres::connect(fixture.database.url()).await;
    let count = "SELECT count(*) FROM pg_stat_activity \
                 WHERE application_name = 'producer-rest' AND datname = current_database()";
    client.query_one(count, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_lone_event_is_written_by_its_own_request() {
    let fixture = Fixture::start_with(&[("DATABASE_POOL_SIZE", "5")]).await;
    let mut connection = fixture.connect().await;
    let mut sent = 0;
    // The first one finds no connection of its thread and has it opened.
    while counter(&fixture, "ingest_led_total").await < 20 {
        sent += 1;
        assert!(sent < 1000, "no event was written by its own request");
        let body = event("Car", &format!("lone-{sent}"), &json!({"n": sent}));
        let answer = connection.post_json(EVENTS, body.to_string()).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(counter(&fixture, "ingest_events_total").await, sent);
    assert_eq!(counter(&fixture, "ingest_queue_depth").await, 0);
    for number in [1, sent] {
        let stored = fixture.stored("Car", &format!("lone-{number}")).await;
        assert_eq!(stored, Some(json!({"n": number})));
    }
    assert!(connections(&fixture).await <= 5);
}

#[tokio::test]
async fn a_small_pool_is_left_to_the_writers() {
    // Two writers, and one connection for health.
    let fixture = Fixture::start_with(&[("DATABASE_POOL_SIZE", "3")]).await;
    let mut connection = fixture.connect().await;
    for number in 0..50 {
        let body = event("Car", "one", &json!({"n": number}));
        let answer = connection.post_json(EVENTS, body.to_string()).await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(counter(&fixture, "ingest_led_total").await, 0);
    assert_eq!(fixture.stored("Car", "one").await, Some(json!({"n": 49})));
    assert!(connections(&fixture).await <= 3);
}

#[tokio::test]
async fn an_event_that_its_request_cannot_write_is_left_to_the_writer() {
    let fixture = Fixture::start().await;
    let mut connection = fixture.connect().await;
    while counter(&fixture, "ingest_led_total").await == 0 {
        let body = event("Car", "locked", &json!({"n": 1})).to_string();
        assert_eq!(connection.post_json(EVENTS, body).await.status, 200);
    }
    let mut other = testkit::postgres::connect(fixture.database.url()).await;
    let transaction = other.transaction().await.unwrap();
    let lock = "SELECT 1 FROM car_entities WHERE id = 'locked' FOR UPDATE";
    transaction.query(lock, &[]).await.unwrap();
    let body = event("Car", "locked", &json!({"n": 2})).to_string();
    let waiting = async {
        let answer = fixture.connect().await.post_json(EVENTS, body).await;
        assert_eq!(answer.status, 200);
    };
    // Others go on meanwhile, and the lock ends only then.
    let others = async {
        for number in 0..20 {
            let body = event("Car", &format!("free-{number}"), &json!({}));
            let answer = connection.post_json(EVENTS, body.to_string()).await;
            assert_eq!(answer.status, 200);
        }
        transaction.commit().await.unwrap();
    };
    tokio::join!(waiting, others);
    assert_eq!(fixture.stored("Car", "locked").await, Some(json!({"n": 2})));
}
