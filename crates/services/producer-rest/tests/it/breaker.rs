//! Nobody waits for a database that is away, nor for a queue that is full.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::http::{self, Connection, Response};
use testkit::postgres::{Database, Server, lock_table};
use testkit::{at_once, eventually};

use crate::support::{BULK, EVENTS, Fixture, event, serve};

const HEALTH: &str = "/api/v1/events/health";

fn refused(answer: &Response, message: &str) {
    let told = (
        answer.status,
        &answer.json()["message"],
        answer.header("retry-after"),
    );
    let expected = json!(message);
    assert_eq!(told, (503, &expected, Some("1")), "{}", answer.text());
}

async fn metrics(fixture: &Fixture) -> String {
    http::get(fixture.service.http(), "/metrics")
        .await
        .text()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_callers_are_told_at_once() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let mut database = Database::fresh_on(&server).await;
    for mode in ["group", "single"] {
        // With defaults of time: 2 s for a connection, 10 s for a request.
        let service = serve(database.url(), &[("WRITE_MODE", mode)]);
        let mut connection = Connection::open(service.http()).await;
        let one = event("Car", "a", &json!({"n": 1})).to_string();
        assert_eq!(connection.post_json(EVENTS, &one).await.status, 200);

        server.stop();
        let away = "the database cannot be reached: retry later";
        // While it stops, and until the next probe, it is told as stopping.
        eventually("it is found out", async || {
            let answer = http::get(service.http(), HEALTH).await;
            answer.status == 503 && answer.text().contains(away)
        })
        .await;
        at_once("an event", async || {
            refused(&connection.post_json(EVENTS, &one).await, away);
        })
        .await;
        let bulk = Value::from(vec![event("Car", "a", &json!({})); 20]).to_string();
        at_once("a bulk request", async || {
            let answer = connection.post_json(BULK, &bulk).await;
            assert_eq!(answer.status, 503, "{}", answer.text());
        })
        .await;
        at_once("health", async || {
            refused(&connection.request("GET", HEALTH, &[], b"").await, away);
        })
        .await;
        let fixture = Fixture { database, service };
        let text = metrics(&fixture).await;
        assert!(text.contains("\ndatabase_breaker_open 1\n"), "{text}");

        server.start_again();
        eventually("it closes by itself", async || {
            metrics(&fixture)
                .await
                .contains("\ndatabase_breaker_open 0\n")
        })
        .await;
        let answer = connection.post_json(EVENTS, &one).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        eventually("health follows", async || {
            http::get(fixture.service.http(), HEALTH).await.status == 200
        })
        .await;
        database = fixture.database;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_within_10_ms() {
    let fixture = Fixture::start_with(&[
        ("QUEUE_CAPACITY", "4"),
        ("WRITERS", "1"),
        ("REQUEST_TIMEOUT", "5m"),
    ])
    .await;
    let mut client = fixture.database.client().await;
    let lock = lock_table(&mut client, "car_entities", "EXCLUSIVE").await;
    // Those that are under way, those that wait, and some more.
    let address = fixture.service.http();
    let one_more = |n: usize| {
        let body = event("Car", &n.to_string(), &json!({})).to_string();
        tokio::spawn(async move { http::post_json(address, EVENTS, body).await.status })
    };
    let mut crowd: Vec<_> = (0..20).map(one_more).collect();
    // What a writer tries has left the queue: there is room again and again, until enough of them wait for the lock.
    let mut refused_in_a_row = 0;
    eventually("the queue stays full", async || {
        let mut asked = one_more(crowd.len());
        let answer = tokio::time::timeout(Duration::from_secs(1), &mut asked).await;
        refused_in_a_row = if answer.is_ok() {
            refused_in_a_row + 1
        } else {
            0
        };
        if answer.is_err() {
            crowd.push(asked);
        }
        refused_in_a_row == 50
    })
    .await;
    let mut connection = fixture.connect().await;
    let one = event("Car", "x", &json!({})).to_string();
    at_once("a full queue", async || {
        refused(
            &connection.post_json(EVENTS, &one).await,
            "the queue is full: retry later",
        );
    })
    .await;
    // A lock does not speak against the database.
    assert!(
        metrics(&fixture)
            .await
            .contains("\ndatabase_breaker_opened_total 0\n")
    );
    lock.commit().await.unwrap();
    for answer in crowd {
        assert!([200, 503].contains(&answer.await.unwrap()));
    }
}
