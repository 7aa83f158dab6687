//! `ProcessEvents`: outcomes while the client still sends.

use std::time::Duration;

use api::event::{EventOutcome, EventRequest};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::support::{Fixture, event};
use testkit::postgres::lock_table;

async fn next(outcomes: &mut tonic::Streaming<EventOutcome>) -> Option<EventOutcome> {
    tokio::time::timeout(Duration::from_secs(10), outcomes.message())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn each_outcome_comes_while_the_client_may_still_send() {
    let fixture = Fixture::start().await;
    let (sender, events) = mpsc::channel(1);
    let mut outcomes = fixture
        .client()
        .await
        .process_events(ReceiverStream::new(events))
        .await
        .unwrap()
        .into_inner();
    for n in 0..3 {
        let id = if n == 1 { "" } else { "c" };
        sender
            .send(event("Car", id, &format!("{{\"n\":{n}}}")))
            .await
            .unwrap();
        let outcome = next(&mut outcomes).await.unwrap();
        assert_eq!((outcome.index, outcome.success), (n, n != 1));
        if n == 1 {
            assert_eq!(
                outcome.message,
                "eventBody.entities[0].entityId must not be empty"
            );
        }
    }
    drop(sender);
    assert_eq!(next(&mut outcomes).await, None);
    assert_eq!(fixture.stored("Car", "c").await, Some(json!({"n": 2})));
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_each_have_one_outcome_and_keep_their_order() {
    let fixture = Fixture::start().await;
    let events =
        (0..10_000).map(|n| event("Car", &format!("c-{}", n % 7), &format!("{{\"n\":{n}}}")));
    let events: Vec<EventRequest> = events.collect();
    let mut outcomes = fixture
        .client()
        .await
        .process_events(tokio_stream::iter(events))
        .await
        .unwrap()
        .into_inner();
    let mut seen = vec![false; 10_000];
    while let Some(outcome) = next(&mut outcomes).await {
        assert!(outcome.success, "{}", outcome.message);
        let index = usize::try_from(outcome.index).unwrap();
        assert!(!std::mem::replace(&mut seen[index], true), "{index} twice");
    }
    assert!(seen.iter().all(|seen| *seen));
    for key in 0..7 {
        let last = (0..10_000).rev().find(|n| n % 7 == key).unwrap();
        assert_eq!(
            fixture.stored("Car", &format!("c-{key}")).await,
            Some(json!({"n": last}))
        );
    }
}

#[tokio::test]
async fn an_empty_stream_gives_no_outcome() {
    let fixture = Fixture::start().await;
    let none = tokio_stream::iter(Vec::<EventRequest>::new());
    let mut outcomes = fixture
        .client()
        .await
        .process_events(none)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(next(&mut outcomes).await, None);
}

#[tokio::test]
async fn an_event_too_large_is_one_failure_of_the_stream() {
    let fixture = Fixture::start_with(&[("MAX_EVENT_BYTES", "100000")]).await;
    let large = format!("{{\"padding\":\"{}\"}}", "x".repeat(150_000));
    let events = vec![
        event("Car", "a", "{}"),
        event("Car", "b", &large),
        event("Car", "c", "{}"),
    ];
    let mut outcomes = fixture
        .client()
        .await
        .process_events(tokio_stream::iter(events))
        .await
        .unwrap()
        .into_inner();
    let mut all = Vec::new();
    while let Some(outcome) = next(&mut outcomes).await {
        all.push((outcome.index, outcome.success));
    }
    all.sort_unstable();
    assert_eq!(all, [(0, true), (1, false), (2, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_index_has_its_outcome_while_the_database_keeps_all_waiting() {
    const EVENTS: u64 = 3000;
    let fixture = Fixture::start_with(&[
        ("QUEUE_CAPACITY", "600"),
        ("REQUEST_TIMEOUT", "1s"),
        ("MAX_BATCH_EVENTS", "50"),
    ])
    .await;
    let mut database = fixture.database.client().await;
    let lock = lock_table(&mut database, "car_entities", "EXCLUSIVE").await;
    let events: Vec<EventRequest> = (0..EVENTS)
        .map(|n| event("Car", &format!("c-{n}"), "{}"))
        .collect();
    let mut client = fixture.client().await;
    let singles = tokio::spawn({
        let client = client.clone();
        async move {
            let calls = (0..100u32).map(|n| {
                let mut client = client.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(20) * n).await;
                    client
                        .process_event(event("Car", &format!("s-{n}"), "{}"))
                        .await
                })
            });
            let mut messages = Vec::new();
            for call in calls.collect::<Vec<_>>() {
                if let Err(status) = call.await.unwrap() {
                    messages.push(status.message().to_owned());
                }
            }
            messages
        }
    });
    let stream = client.process_events(tokio_stream::iter(events));
    let mut outcomes = stream.await.unwrap().into_inner();
    let collect = async {
        let mut indices = Vec::new();
        while let Some(outcome) = next(&mut outcomes).await {
            if !outcome.success {
                assert_eq!(
                    outcome.message,
                    "no answer from the database in time: retry later"
                );
            }
            indices.push(outcome.index);
        }
        indices.sort_unstable();
        indices
    };
    let release = async {
        // Time itself is tested: deadlines pass while the table is locked.
        tokio::time::sleep(Duration::from_millis(2700)).await;
        lock.commit().await.unwrap();
    };
    let (indices, ()) = tokio::join!(collect, release);
    assert_eq!(indices, (0..EVENTS).collect::<Vec<_>>());
    for message in singles.await.unwrap() {
        assert!(
            message.starts_with("no answer from the database in time")
                || message.starts_with("the queue is full"),
            "{message}"
        );
    }
}
