//! The life of the process: settings, start, stop.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use testkit::http::Connection;
use testkit::postgres::lock_table;
use testkit::process::Service;

use crate::support::{BINARY, EVENTS, Fixture, event};

#[tokio::test]
async fn sigterm_finishes_the_request_under_way_and_exits_with_0() {
    let mut fixture = Fixture::start().await;
    let mut client = fixture.database.client().await;
    let lock = lock_table(&mut client, "car_entities", "EXCLUSIVE").await;
    let mut connection = fixture.connect().await;
    let mut idle = fixture.connect().await;
    idle.request("GET", "/metrics", &[], b"").await;
    let mut half = fixture.connect().await;
    half.send(b"POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        .await
        .unwrap();
    let post = tokio::spawn(async move {
        connection
            .post_json(EVENTS, event("Car", "c", &json!({})).to_string())
            .await
    });
    fixture
        .database
        .until_blocked("ingest::store::upsert", 1)
        .await;
    fixture.service.signal(Signal::SIGTERM);
    assert!(
        idle.is_closed_within(Duration::from_secs(2)).await,
        "an idle connection is no work"
    );
    let address = fixture.service.http();
    testkit::eventually("no new connections", async || {
        Connection::try_open(address).await.is_err()
    })
    .await;
    lock.commit().await.unwrap();
    assert_eq!(post.await.unwrap().status, 200);
    assert_eq!(
        fixture.service.wait().code(),
        Some(0),
        "{}",
        fixture.service.log()
    );
    let totals = fixture
        .service
        .wait_for_log("ingestion totals", Duration::from_secs(5));
    assert!(totals.is_some(), "{}", fixture.service.log());
    assert!(fixture.stored("Car", "c").await.is_some());
}

#[tokio::test]
async fn what_still_waits_at_the_end_of_the_grace_is_refused_and_exits_with_1() {
    let mut fixture = Fixture::start_with(&[("SHUTDOWN_GRACE", "400ms")]).await;
    let mut client = fixture.database.client().await;
    let lock = lock_table(&mut client, "car_entities", "EXCLUSIVE").await;
    let mut connection = fixture.connect().await;
    let post = tokio::spawn(async move {
        connection
            .post_json(EVENTS, event("Car", "c", &json!({})).to_string())
            .await
    });
    fixture
        .database
        .until_blocked("ingest::store::upsert", 1)
        .await;
    let begun = Instant::now();
    let status = fixture.service.terminate();
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(status.code(), Some(1), "{}", fixture.service.log());
    let answer = post.await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (503, &json!("unavailable"))
    );
    lock.commit().await.unwrap();
}

#[test]
fn wrong_settings_are_named() {
    for (variable, value) in [
        ("SERVER_PORT", "http"),
        ("DATABASE_POOL_SIZE", "0"),
        ("REQUEST_TIMEOUT", "10"),
        ("QUEUE_CAPACITY", "0"),
        ("WRITE_MODE", "later"),
        ("DATABASE_URL", "mysql://x"),
    ] {
        let mut service = Service::spawn(BINARY, &[], &[(variable, value)]);
        let status = service.wait();
        let flag = variable.to_lowercase().replace('_', "-");
        // the log is read by a thread of its own
        let said = service.wait_for_log(&flag, Duration::from_secs(5));
        assert!(!status.success(), "{variable}={value}");
        assert!(said.is_some(), "{variable}={value}: {}", service.log());
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let fixture = Fixture::start().await;
    let port = fixture.service.http().port().to_string();
    let environment = [
        ("DATABASE_URL", fixture.database.url()),
        ("SERVER_PORT", &port),
    ];
    let mut second = Service::spawn(BINARY, &[], &environment);
    let status = second.wait();
    assert_eq!(status.code(), Some(1));
    let said = second.wait_for_log(&format!("port {port}"), Duration::from_secs(5));
    assert!(said.is_some(), "{}", second.log());
}

#[tokio::test]
async fn the_subcommand_health_tells_serving_from_not_serving() {
    let mut fixture = Fixture::start().await;
    let port = fixture.service.http().port().to_string();
    let check = |port: &str| {
        Service::spawn(BINARY, &["health"], &[("SERVER_PORT", port)])
            .wait()
            .code()
    };
    assert_eq!(check(&port), Some(0));
    fixture.service.terminate();
    assert_eq!(check(&port), Some(1));
}

#[tokio::test]
async fn one_connection_is_enough() {
    let fixture = Fixture::start_with(&[("DATABASE_POOL_SIZE", "1")]).await;
    for n in 0..20 {
        assert_eq!(
            fixture
                .post(&event("Car", &format!("{n}"), &json!({})))
                .await
                .status,
            200
        );
    }
}

#[tokio::test]
async fn the_write_modes_without_group_commit_store_the_same() {
    for mode in ["single", "read-then-write"] {
        let fixture = Fixture::start_with(&[("WRITE_MODE", mode)]).await;
        for attributes in [json!({"a": 1, "b": 1}), json!({"b": 2})] {
            assert_eq!(
                fixture.post(&event("Car", "c", &attributes)).await.status,
                200,
                "{mode}"
            );
        }
        assert_eq!(
            fixture.stored("Car", "c").await,
            Some(json!({"a": 1, "b": 2})),
            "{mode}"
        );
    }
}
