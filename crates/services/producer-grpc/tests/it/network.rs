//! What the network may do: silence, slowness, offers, encodings.

use std::time::Duration;

use api::event::event_service_client::EventServiceClient;
use testkit::network::{self, QUICK};
use testkit::postgres::Database;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::support::{BINARY, Fixture, event};

#[tokio::test]
async fn silence_and_heads_that_stop_are_closed() {
    let fixture = Fixture::start_with(&QUICK).await;
    let (grpc, admin) = (fixture.service.grpc(), fixture.service.http());
    tokio::join!(
        network::silence_is_closed(grpc),
        network::silence_is_closed(admin),
        network::a_head_that_stops_is_408(admin, "/health"),
        network::an_idle_connection_is_closed(admin, "/health"),
    );
}

#[tokio::test]
async fn health_answers_amid_150_silent_connections_with_128_files() {
    let database = Database::fresh().await;
    let service =
        network::start_with_few_files(BINARY, "", 128, &[("DATABASE_URL", database.url())]);
    let (grpc, admin) = (service.grpc(), service.http());
    let silent = network::health_answers_amid_silence(&[grpc, admin], admin, "/health").await;
    let fixture = Fixture { database, service };
    let mut client = fixture.client().await;
    let stored = client.process_event(event("Car", "c", "{}"));
    assert!(stored.await.unwrap().into_inner().success);
    drop(silent);
}

#[tokio::test]
async fn the_admin_port_is_as_the_others() {
    let fixture = Fixture::start().await;
    let admin = fixture.service.http();
    network::offers_to_upgrade_are_ignored(admin, "/health").await;
    for path in ["/health", "/metrics", "/no/such/path"] {
        network::head_is_get_without_a_body(admin, path).await;
    }
    network::preflights_follow_from_the_routes(admin, "/metrics", "GET, HEAD").await;
    network::request_ids_are_given_back(admin, "/health").await;
}

#[tokio::test]
async fn gzip_is_taken() {
    let fixture = Fixture::start().await;
    let mut client =
        EventServiceClient::new(fixture.channel().await).send_compressed(CompressionEncoding::Gzip);
    let answer = client
        .process_event(event("Car", "zipped", "{\"price\":1}"))
        .await;
    assert!(answer.unwrap().into_inner().success);
    assert!(fixture.stored("Car", "zipped").await.is_some());
    // 100 MiB in 100 kB.
    let bomb = format!("{{\"a\":\"{}\"}}", " ".repeat(100 << 20));
    let refused = client
        .max_encoding_message_size(usize::MAX)
        .process_event(event("Car", "bomb", &bomb))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
}

/// A stream may be silent between its events.
#[tokio::test]
async fn a_silent_stream_stays_open() {
    let fixture = Fixture::start_with(&QUICK).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let events = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut client = fixture.client().await;
    let mut outcomes = client.process_events(events).await.unwrap().into_inner();
    for number in 0..2 {
        // Longer than BODY_TIMEOUT, HEAD_TIMEOUT and IDLE_TIMEOUT.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        sender.send(event("Car", "c", "{}")).await.unwrap();
        let outcome = outcomes.message().await.unwrap().unwrap();
        assert_eq!((outcome.index, outcome.success), (number, true));
    }
}
