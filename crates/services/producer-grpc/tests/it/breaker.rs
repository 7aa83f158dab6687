//! Nobody waits for a database that is away, nor for a queue that is full.

use std::time::Duration;

use api::event::HealthRequest;
use testkit::postgres::{Database, Server, lock_table};
use testkit::{at_once, eventually, http};
use tonic::Code;

use crate::support::{Fixture, event};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_callers_are_told_at_once() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let fixture = Fixture::start_on(Database::fresh_on(&server).await, &[]).await;
    let mut client = fixture.client().await;
    client.process_event(event("Car", "a", "{}")).await.unwrap();
    server.stop();
    let asked = client.clone();
    // While it stops, and until the next probe, it is told as stopping.
    eventually("it is found out", async || {
        let mut asked = asked.clone();
        let health = asked.health_check(HealthRequest::default()).await;
        let answer = asked.process_event(event("Car", "a", "{}")).await;
        !health.unwrap().into_inner().healthy
            && answer.is_err_and(|status| status.message().contains("cannot be reached"))
    })
    .await;
    at_once("an event", async || {
        let status = client
            .process_event(event("Car", "a", "{}"))
            .await
            .unwrap_err();
        let told = (status.code(), status.message());
        assert_eq!(
            told,
            (
                Code::Unavailable,
                "the database cannot be reached: retry later"
            )
        );
    })
    .await;
    at_once("a stream of events", async || {
        let events = vec![event("Car", "a", "{}"); 20];
        let answer = client.process_events(tokio_stream::iter(events)).await;
        let mut outcomes = answer.unwrap().into_inner();
        let mut refused = 0;
        while let Some(outcome) = outcomes.message().await.unwrap() {
            assert!(!outcome.success);
            assert_eq!(
                outcome.message,
                "the database cannot be reached: retry later"
            );
            refused += 1;
        }
        assert_eq!(refused, 20);
    })
    .await;
    server.start_again();
    let admin = fixture.service.http();
    eventually("it closes by itself", async || {
        http::get(admin, "/metrics")
            .await
            .text()
            .contains("\ndatabase_breaker_open 0\n")
    })
    .await;
    client.process_event(event("Car", "a", "{}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_within_10_ms() {
    let fixture = Fixture::start_with(&[
        ("QUEUE_CAPACITY", "4"),
        ("WRITERS", "1"),
        ("REQUEST_TIMEOUT", "5m"),
    ])
    .await;
    let mut database = fixture.database.client().await;
    let lock = lock_table(&mut database, "car_entities", "EXCLUSIVE").await;
    let mut client = fixture.client().await;
    let asked = client.clone();
    let one_more = |n: usize| {
        let mut client = asked.clone();
        let event = event("Car", &n.to_string(), "{}");
        tokio::spawn(async move { client.process_event(event).await })
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
    at_once("a full queue", async || {
        let status = client
            .process_event(event("Car", "x", "{}"))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert_eq!(status.metadata().get("retry-after").unwrap(), "1");
    })
    .await;
    lock.commit().await.unwrap();
    for answer in crowd {
        drop(answer.await.unwrap());
    }
}
