//! What the network may do: silence, slowness, offers, encodings.

use tempfile::TempDir;
use testkit::http::Connection;
use testkit::network::{self, QUICK};

use crate::support::{BINARY, Fixture};

const JSON: (&str, &str) = ("content-type", "application/json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

#[tokio::test]
async fn silence_and_heads_that_stop_are_closed() {
    let fixture = Fixture::start_with(&QUICK);
    let (grpc, http) = (fixture.service.grpc(), fixture.service.http());
    tokio::join!(
        network::silence_is_closed(grpc),
        network::silence_is_closed(http),
        network::a_head_that_stops_is_408(http, "/health"),
        network::an_idle_connection_is_closed(http, "/health"),
    );
}

#[tokio::test]
async fn health_answers_amid_150_silent_connections_with_128_files() {
    let folder = TempDir::new().unwrap();
    let directory = [("EVENT_LOG_DIR", folder.path().to_str().unwrap())];
    let service = network::start_with_few_files(BINARY, "serve", 128, &directory);
    let (grpc, http) = (service.grpc(), service.http());
    let silent = network::health_answers_amid_silence(&[grpc, http], http, "/health").await;
    let appended = testkit::http::post_json(http, "/api/v1/logs/a", "1").await;
    assert_eq!(appended.status, 201, "{}", appended.text());
    drop(silent);
}

#[tokio::test]
async fn bodies_that_stop_are_408() {
    let fixture = Fixture::start_with(&QUICK);
    let http = fixture.service.http();
    for (method, path) in [
        ("POST", "/api/v1/logs/a"),
        ("POST", "/api/v1/topics"),
        ("POST", "/api/v1/topics/t/records"),
        ("PUT", "/api/v1/groups/g/offsets"),
    ] {
        network::a_body_that_stops_is_408(http, method, path).await;
    }
}

#[tokio::test]
async fn head_ids_offers_and_preflights_are_as_everywhere() {
    let fixture = Fixture::start();
    let http = fixture.service.http();
    let mut connection = Connection::open(http).await;
    let made = connection
        .post_json("/api/v1/topics", r#"{"name":"t"}"#)
        .await;
    assert_eq!(made.status, 201);
    let made = connection.post_json("/api/v1/logs/a", "1").await;
    assert_eq!(made.status, 201);
    network::offers_to_upgrade_are_ignored(http, "/api/v1/topics").await;
    for path in [
        "/api/v1/topics",
        "/api/v1/topics/t",
        "/api/v1/topics/none",
        "/api/v1/topics/t/partitions/0/records?offset=0&maxWaitMs=0",
        "/api/v1/groups",
        "/api/v1/groups/none",
        "/api/v1/logs",
        "/api/v1/logs/a",
        "/api/v1/logs/a/last",
        "/api/v1/logs/a/verify",
        "/api/v1/logs/none/tail",
        "/health",
        "/metrics",
        "/no/such/path",
    ] {
        network::head_is_get_without_a_body(http, path).await;
    }
    network::head_of_a_stream_begins_none(http, "/api/v1/logs/a/tail").await;
    for (path, allowed) in [
        ("/api/v1/topics", "GET, HEAD, POST"),
        ("/api/v1/topics/t", "GET, HEAD, DELETE"),
        ("/api/v1/groups/g/offsets", "PUT"),
        ("/api/v1/logs/a/tail", "GET, HEAD"),
    ] {
        network::preflights_follow_from_the_routes(http, path, allowed).await;
    }
    network::request_ids_are_given_back(http, "/api/v1/topics").await;
}

#[tokio::test]
async fn gzip_is_decoded_within_the_limits_and_other_encodings_are_415() {
    let fixture = Fixture::start();
    let http = fixture.service.http();
    for (method, path) in [
        ("POST", "/api/v1/logs/a"),
        ("POST", "/api/v1/topics/t/records"),
        ("PUT", "/api/v1/groups/g/offsets"),
    ] {
        network::other_encodings_are_415(http, method, path).await;
    }
    let mut connection = Connection::open(http).await;
    let body = network::gzip(br#"{"n":1}"#);
    let appended = connection
        .request("POST", "/api/v1/logs/a", &[JSON, GZIP], &body)
        .await;
    assert_eq!(appended.status, 201, "{}", appended.text());
    let last = connection
        .request("GET", "/api/v1/logs/a/last", &[], b"")
        .await;
    assert_eq!(last.json()["data"]["n"], 1);
    // 100 MiB in 100 kB.
    let bomb = network::gzip(&vec![b' '; 100 << 20]);
    let refused = connection
        .request("POST", "/api/v1/logs/a", &[JSON, GZIP], &bomb)
        .await;
    assert_eq!(refused.status, 413);
}
