//! The end of the process.

use std::time::{Duration, Instant};

use testkit::postgres::lock_table;
use testkit::process::Service;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{BINARY, Fixture, event};

#[tokio::test]
async fn sigterm_finishes_calls_and_ends_silent_streams_and_watches() {
    let mut fixture = Fixture::start().await;
    let mut database = fixture.database.client().await;
    let lock = lock_table(&mut database, "car_entities", "EXCLUSIVE").await;

    let mut watch = HealthClient::new(fixture.channel().await)
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    watch.message().await.unwrap();
    let (_silent, events) = mpsc::channel::<api::event::EventRequest>(1);
    let mut silent = fixture
        .client()
        .await
        .process_events(ReceiverStream::new(events))
        .await
        .unwrap()
        .into_inner();
    let mut client = fixture.client().await;
    let call = tokio::spawn(async move { client.process_event(event("Car", "c", "{}")).await });
    fixture
        .database
        .until_blocked("ingest::store::upsert", 1)
        .await;

    fixture.service.signal(nix::sys::signal::Signal::SIGTERM);
    let ended = tokio::time::timeout(Duration::from_secs(3), silent.message())
        .await
        .unwrap();
    assert_eq!(
        ended.unwrap_err().code(),
        Code::Unavailable,
        "a stream with nothing unanswered is closed"
    );
    lock.commit().await.unwrap();
    assert!(call.await.unwrap().unwrap().get_ref().success);
    let begun = Instant::now();
    assert_eq!(
        fixture.service.wait().code(),
        Some(0),
        "{}",
        fixture.service.log()
    );
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(fixture.stored("Car", "c").await.is_some());
}

#[tokio::test]
async fn what_still_waits_at_the_end_of_the_grace_is_unavailable() {
    let mut fixture = Fixture::start_with(&[("SHUTDOWN_GRACE", "400ms")]).await;
    let mut database = fixture.database.client().await;
    let lock = lock_table(&mut database, "car_entities", "EXCLUSIVE").await;
    let mut client = fixture.client().await;
    let call = tokio::spawn(async move { client.process_event(event("Car", "c", "{}")).await });
    let events = vec![event("Car", "d", "{}")];
    let pending =
        tokio_stream::StreamExt::chain(tokio_stream::iter(events), tokio_stream::pending());
    let mut streamed = fixture
        .client()
        .await
        .process_events(pending)
        .await
        .unwrap()
        .into_inner();
    fixture
        .database
        .until_blocked("ingest::store::upsert", 1)
        .await;
    assert_eq!(
        fixture.service.terminate().code(),
        Some(1),
        "{}",
        fixture.service.log()
    );
    assert_eq!(call.await.unwrap().unwrap_err().code(), Code::Unavailable);
    let ended = loop {
        match streamed.message().await {
            Ok(outcome) => assert!(outcome.is_some_and(|outcome| !outcome.success)),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
    lock.commit().await.unwrap();
}

#[tokio::test]
async fn the_subcommand_health_tells_serving_from_not_serving() {
    let mut fixture = Fixture::start().await;
    let port = fixture.service.grpc().port().to_string();
    let check = |port: &str| {
        Service::spawn(BINARY, &["health"], &[("GRPC_SERVER_PORT", port)])
            .wait()
            .code()
    };
    testkit::eventually("it serves", async || check(&port) == Some(0)).await;
    fixture.service.terminate();
    assert_eq!(check(&port), Some(1));
}
