//! What the network may do: silence, slowness, offers, encodings.

use serde_json::json;
use testkit::network::{self, QUICK};
use testkit::postgres::Database;

use crate::support::{BINARY, BULK, EVENTS, Fixture, event};

const HEALTH: &str = "/api/v1/events/health";

#[tokio::test]
async fn silence_and_heads_that_stop_are_closed() {
    let fixture = Fixture::start_with(&QUICK).await;
    let address = fixture.service.http();
    tokio::join!(
        network::silence_is_closed(address),
        network::a_head_that_stops_is_408(address, HEALTH),
        network::an_idle_connection_is_closed(address, HEALTH),
    );
}

#[tokio::test]
async fn health_answers_amid_150_silent_connections_with_128_files() {
    let database = Database::fresh().await;
    let service =
        network::start_with_few_files(BINARY, "", 128, &[("DATABASE_URL", database.url())]);
    let address = service.http();
    let silent = network::health_answers_amid_silence(&[address], address, HEALTH).await;
    let stored =
        testkit::http::post_json(address, EVENTS, event("Car", "c", &json!({})).to_string());
    assert_eq!(stored.await.status, 200);
    drop(silent);
}

#[tokio::test]
async fn bodies_that_stop_are_408() {
    let fixture = Fixture::start_with(&QUICK).await;
    for path in [EVENTS, BULK] {
        network::a_body_that_stops_is_408(fixture.service.http(), "POST", path).await;
    }
}

/// Twenty bodies of 900 kB that do not end, where 10 MiB may be under way.
#[tokio::test]
async fn unfinished_bodies_are_bounded_over_all_connections() {
    let settings = [
        ("MAX_UNFINISHED_BYTES", "10485760"),
        ("BODY_TIMEOUT", "60s"),
    ];
    let fixture = Fixture::start_with(&settings).await;
    let head = "POST /api/v1/events/bulk HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n";
    let part = [head.as_bytes(), &vec![b' '; 900_000]].concat();
    let mut refused = 0;
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut connection = fixture.connect().await;
        if connection.send(&part).await.is_err() {
            refused += 1;
            continue;
        }
        open.push(connection);
    }
    let mut kept = Vec::new();
    for mut connection in open {
        let wait = std::time::Duration::from_millis(500);
        match tokio::time::timeout(wait, connection.receive(false)).await {
            Ok(answer) => {
                let answer = answer.expect("an answer");
                assert_eq!(
                    (answer.status, answer.header("retry-after")),
                    (503, Some("1"))
                );
                refused += 1;
            }
            Err(_waiting) => kept.push(connection),
        }
    }
    // 11 of them make 9.9 MB.
    assert_eq!((kept.len(), refused), (11, 9));
    drop(kept);
    let whole = event("Car", "afterwards", &json!({"text": "x".repeat(900_000)}));
    // What was held is given back, once the server sees that the clients have gone.
    let begun = std::time::Instant::now();
    while fixture.post(&whole).await.status != 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    }
}

/// What strangers send may not fill the log, nor wake somebody at night.
#[tokio::test]
async fn what_clients_do_wrong_is_not_logged_as_an_error() {
    let fixture = Fixture::start().await;
    let event = "POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    for wrong in [
        "nonsense\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\0\u{1}\u{1}".to_owned(),
        format!("{event}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{event}content-length: 5\r\n\r\nabc"),
        format!("{event}transfer-encoding: chunked\r\n\r\n-1\r\n"),
        format!("{event}x: {}\r\n\r\n", "a".repeat(200_000)),
    ] {
        let mut connection = fixture.connect().await;
        // It may be refused before all of it was sent.
        drop(connection.send(wrong.as_bytes()).await);
    }
    // Connections are accepted in turn: after this one none of them waits.
    let health = testkit::http::get(fixture.service.http(), HEALTH).await;
    assert_eq!(health.status, 200);
    let mut service = fixture.service;
    assert_eq!(service.terminate().code(), Some(0));
    let log = service.log();
    for level in ["ERROR", "WARN"] {
        assert!(!log.contains(&format!("\"level\":\"{level}\"")), "{log}");
    }
}

#[tokio::test]
async fn offers_to_upgrade_are_ignored() {
    let fixture = Fixture::start().await;
    network::offers_to_upgrade_are_ignored(fixture.service.http(), HEALTH).await;
}

#[tokio::test]
async fn head_ids_and_preflights_follow_from_the_routes() {
    let fixture = Fixture::start().await;
    let address = fixture.service.http();
    for path in [HEALTH, "/metrics", "/no/such/path"] {
        network::head_is_get_without_a_body(address, path).await;
    }
    for (path, allowed) in [(EVENTS, "POST"), (BULK, "POST"), (HEALTH, "GET, HEAD")] {
        network::preflights_follow_from_the_routes(address, path, allowed).await;
    }
    network::request_ids_are_given_back(address, HEALTH).await;
}

#[tokio::test]
async fn gzip_is_decoded_within_the_limits_and_other_encodings_are_415() {
    let fixture = Fixture::start().await;
    let address = fixture.service.http();
    for path in [EVENTS, BULK] {
        network::other_encodings_are_415(address, "POST", path).await;
    }
    let mut connection = fixture.connect().await;
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
    ];
    let one = event("Car", "zipped", &json!({"price": 1}));
    let body = network::gzip(one.to_string().as_bytes());
    let answer = connection.request("POST", EVENTS, &headers, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let stored = fixture.stored("Car", "zipped").await;
    assert_eq!(stored, Some(json!({"price": 1})));
    let many = json!([one, event("Car", "zipped-too", &json!({}))]);
    let body = network::gzip(many.to_string().as_bytes());
    let answer = connection.request("POST", BULK, &headers, &body).await;
    assert_eq!(answer.json()["processedCount"], 2);

    let not_gzip = connection
        .request("POST", EVENTS, &headers, b"{\"a\":1}")
        .await;
    assert_eq!(not_gzip.status, 400);
    assert!(not_gzip.text().contains("gzip"), "{}", not_gzip.text());
    // 100 MiB in 100 kB.
    let bomb = network::gzip(&vec![b' '; 100 << 20]);
    for (path, memory) in [(EVENTS, 1 << 20), (BULK, 10 << 20)] {
        let answer = fixture
            .connect()
            .await
            .request("POST", path, &headers, &bomb)
            .await;
        assert_eq!(answer.status, 413, "{path}, {memory}");
    }
}
