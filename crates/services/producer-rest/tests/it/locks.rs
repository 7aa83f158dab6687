//! A row that another transaction has locked: only its own callers wait.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use testkit::http::{Connection, Response};

use crate::support::{BULK, EVENTS, Fixture, event};

const LOCKED: &str = "another transaction holds a lock on the data: retry later";

/// An answer, and how long it took.
struct Timed {
    answer: Response,
    took: Duration,
}

async fn post(address: SocketAddr, id: String, attributes: Value) -> Timed {
    let begun = Instant::now();
    let event = event("Car", &id, &attributes).to_string();
    let answer = Connection::open(address)
        .await
        .post_json(EVENTS, event)
        .await;
    let took = begun.elapsed();
    Timed { answer, took }
}

/// Posts for `ids`, one each `every`.
async fn post_each(address: SocketAddr, ids: Vec<String>, every: Duration) -> Vec<Timed> {
    let posts = (0..).zip(ids).map(|(n, id)| async move {
        tokio::time::sleep(every * n).await;
        post(address, id, json!({"n": n})).await
    });
    join_all(posts).await
}

/// 300 strangers beside a client that posts the locked key; only the latter fails, at its deadline.
async fn strangers_go_on(fixture: &Fixture) {
    let address = fixture.service.http();
    let locked = ["hot"; 8].map(str::to_owned).to_vec();
    let strangers = (0..300).map(|n| format!("stranger-{n}")).collect();
    let (locked, strangers) = tokio::join!(
        post_each(address, locked, Duration::from_millis(300)),
        post_each(address, strangers, Duration::from_millis(10)),
    );
    for Timed { answer, took } in strangers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(took < Duration::from_secs(1), "a stranger waited {took:?}");
    }
    for Timed { answer, took } in locked {
        assert_eq!(
            (answer.status, &answer.json()["message"]),
            (503, &json!(LOCKED))
        );
        assert!(took > Duration::from_millis(2900), "{took:?}");
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
    fixture.service.told("55P03 lock_not_available");
    // Its own answer is a metric of its own.
    let metrics = testkit::http::get(address, "/metrics").await;
    let counted = "ingest_refused_total{reason=\"locked\"} 8";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_row_holds_up_only_its_own_callers() {
    let fixture = Fixture::start_with(&[("REQUEST_TIMEOUT", "3s")]).await;
    assert_eq!(
        fixture.post(&event("Car", "hot", &json!({}))).await.status,
        200
    );
    let mut client = fixture.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM car_entities WHERE id = 'hot' FOR UPDATE")
        .await
        .unwrap();
    strangers_go_on(&fixture).await;
    lock.commit().await.unwrap();
    assert_eq!(
        fixture.post(&event("Car", "hot", &json!({}))).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_where_the_role_has_a_lock_timeout() {
    let database = testkit::postgres::Database::fresh().await;
    let mut client = database.client().await;
    let role = format!("patient_{}", database.name());
    client
        .batch_execute(&format!(
            "CREATE ROLE {role} SUPERUSER LOGIN; ALTER ROLE {role} SET lock_timeout = '2s'"
        ))
        .await
        .unwrap();
    let url = database
        .url()
        .replace("postgres:password@", &format!("{role}@"));
    let service = crate::support::serve(&url, &[("REQUEST_TIMEOUT", "3s")]);
    let fixture = Fixture { database, service };
    assert_eq!(
        fixture.post(&event("Car", "hot", &json!({}))).await.status,
        200
    );
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM car_entities WHERE id = 'hot' FOR UPDATE")
        .await
        .unwrap();
    strangers_go_on(&fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_another_transaction_inserts_holds_up_only_its_own_callers() {
    let fixture = Fixture::start_with(&[("REQUEST_TIMEOUT", "3s")]).await;
    let mut client = fixture.database.client().await;
    let lock = client.transaction().await.unwrap();
    // Nobody sees it before the commit.
    lock.batch_execute(
        "INSERT INTO car_entities (entity_type, id, data) VALUES ('Car', 'hot', '{}')",
    )
    .await
    .unwrap();
    strangers_go_on(&fixture).await;
    lock.commit().await.unwrap();
    assert_eq!(
        fixture
            .post(&event("Car", "hot", &json!({"n": 1})))
            .await
            .status,
        200
    );
    assert_eq!(fixture.stored("Car", "hot").await, Some(json!({"n": 1})));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_locked_row_is_stored_as_soon_as_it_is_free() {
    let fixture = Fixture::start().await;
    assert_eq!(
        fixture.post(&event("Car", "hot", &json!({}))).await.status,
        200
    );
    let mut client = fixture.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM car_entities WHERE id = 'hot' FOR UPDATE")
        .await
        .unwrap();
    let address = fixture.service.http();
    let waiting =
        tokio::spawn(join_all((0..20).map(|n| {
            post(address, "hot".to_owned(), json!({format!("k{n}"): n}))
        })));
    let parked = fixture
        .service
        .wait_for_log("events wait for rows", Duration::from_secs(5));
    assert!(parked.is_some(), "{}", fixture.service.log());
    lock.commit().await.unwrap();
    let freed = Instant::now();
    for Timed { answer, .. } in waiting.await.unwrap() {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let took = freed.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    let stored = fixture.stored("Car", "hot").await.unwrap();
    assert_eq!(stored.as_object().map(serde_json::Map::len), Some(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_fails_only_at_the_locked_rows_and_keeps_its_order() {
    let fixture = Fixture::start_with(&[("REQUEST_TIMEOUT", "2s")]).await;
    assert_eq!(
        fixture.post(&event("Car", "hot", &json!({}))).await.status,
        200
    );
    let mut client = fixture.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM car_entities WHERE id = 'hot' FOR UPDATE")
        .await
        .unwrap();
    // The second entity of the locked event is free; the event after it on the same lane must not overtake it.
    let mut both = event("Car", "hot", &json!({"n": 1}));
    let free = crate::support::entity("Car", "free", &json!({"n": 1}));
    both["eventBody"]["entities"]
        .as_array_mut()
        .unwrap()
        .push(free);
    let mut events = vec![both, event("Car", "free", &json!({"n": 2}))];
    events.extend((0..50).map(|n| event("Car", &format!("stranger-{n}"), &json!({}))));
    let body = Value::Array(events).to_string();
    let answer = fixture.connect().await.post_json(BULK, &body).await;
    let answer = answer.json();
    assert_eq!(answer["processedCount"], json!(50), "{answer}");
    let indices = answer["failures"].as_array().unwrap().iter();
    let indices: Vec<_> = indices.map(|failure| failure["index"].clone()).collect();
    assert_eq!(indices, [json!(0), json!(1)]);
    assert_eq!(fixture.stored("Car", "free").await, None);

    let waiting = tokio::spawn({
        let address = fixture.service.http();
        async move { Connection::open(address).await.post_json(BULK, body).await }
    });
    // The batch without the locked rows is written when the rows' lock has been waited for.
    let address = fixture.service.http();
    testkit::eventually("the strangers are written", async || {
        testkit::http::metric(address, "ingest_events_total").await >= 100.0
    })
    .await;
    lock.commit().await.unwrap();
    let answer = waiting.await.unwrap().json();
    assert_eq!(answer["processedCount"], json!(52), "{answer}");
    assert_eq!(fixture.stored("Car", "free").await, Some(json!({"n": 2})));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_an_event_does_not_starve_strangers_either() {
    let settings = [
        ("WRITE_MODE", "single"),
        ("DATABASE_POOL_SIZE", "2"),
        ("REQUEST_TIMEOUT", "3s"),
    ];
    let fixture = Fixture::start_with(&settings).await;
    assert_eq!(
        fixture.post(&event("Car", "hot", &json!({}))).await.status,
        200
    );
    let mut client = fixture.database.client().await;
    let lock = client.transaction().await.unwrap();
    lock.batch_execute("SELECT FROM car_entities WHERE id = 'hot' FOR UPDATE")
        .await
        .unwrap();
    let address = fixture.service.http();
    let locked = ["hot"; 4].map(str::to_owned).to_vec();
    let strangers = (0..20).map(|n| format!("stranger-{n}")).collect();
    let (locked, strangers) = tokio::join!(
        post_each(address, locked, Duration::from_millis(1)),
        post_each(address, strangers, Duration::from_millis(100)),
    );
    assert!(locked.iter().all(|timed| timed.answer.status == 503));
    for Timed { answer, .. } in strangers {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}
