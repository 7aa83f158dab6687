//! The life of the process: settings, start, stop.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;
use testkit::http::Connection;
use testkit::process::Service;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{BINARY, Fixture, get_balance, lock_accounts};

const PATH: &str = "/api/v1/accounts/a/balance";

#[tokio::test]
async fn sigterm_finishes_requests_of_both_faces_and_exits_with_0() {
    let mut fixture = Fixture::start().await;
    let mut database = fixture.database.client().await;
    let lock = lock_accounts(&mut database).await;
    let mut idle = fixture.connect().await;
    idle.request("GET", "/metrics", &[], b"").await;
    let mut half = fixture.connect().await;
    half.send(b"GET /api/v1/acc").await.unwrap();
    let mut watch = HealthClient::new(fixture.channel().await)
        .watch(HealthCheckRequest::default())
        .await
        .unwrap()
        .into_inner();
    watch.message().await.unwrap();

    let mut connection = fixture.connect().await;
    let over_rest = tokio::spawn(async move { connection.request("GET", PATH, &[], b"").await });
    fixture
        .database
        .until_blocked("balance::store::read", 1)
        .await;
    let mut client = fixture.client().await;
    let over_grpc = tokio::spawn(async move { get_balance(&mut client, "a").await });
    // Each in a read of its own: there are two readers.
    fixture
        .database
        .until_blocked("balance::store::read", 2)
        .await;
    fixture.service.signal(Signal::SIGTERM);
    assert!(
        idle.is_closed_within(Duration::from_secs(2)).await,
        "an idle connection is no work"
    );
    for address in [fixture.service.http(), fixture.service.grpc()] {
        let begun = Instant::now();
        while Connection::try_open(address).await.is_ok() {
            assert!(
                begun.elapsed() < Duration::from_secs(2),
                "no new connections"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    lock.commit().await.unwrap();
    let answer = over_rest.await.unwrap();
    assert_eq!((answer.status, &answer.json()["balance"]), (200, &json!(1)));
    assert_eq!(over_grpc.await.unwrap().unwrap().balance_tinybar, 1);
    let begun = Instant::now();
    assert_eq!(
        fixture.service.wait().code(),
        Some(0),
        "{}",
        fixture.service.log()
    );
    assert!(begun.elapsed() < Duration::from_secs(3));
    let totals = fixture
        .service
        .wait_for_log("balance totals", Duration::from_secs(5));
    assert!(totals.is_some(), "{}", fixture.service.log());
}

#[tokio::test]
async fn what_still_waits_at_the_end_of_the_grace_is_refused_and_exits_with_1() {
    let mut fixture = Fixture::start_with(&[("SHUTDOWN_GRACE", "400ms")]).await;
    let mut database = fixture.database.client().await;
    let lock = lock_accounts(&mut database).await;
    let mut connection = fixture.connect().await;
    let over_rest = tokio::spawn(async move { connection.request("GET", PATH, &[], b"").await });
    fixture
        .database
        .until_blocked("balance::store::read", 1)
        .await;
    let mut client = fixture.client().await;
    let over_grpc = tokio::spawn(async move { get_balance(&mut client, "a").await });
    // Each in a read of its own: there are two readers.
    fixture
        .database
        .until_blocked("balance::store::read", 2)
        .await;
    let begun = Instant::now();
    let status = fixture.service.terminate();
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(status.code(), Some(1), "{}", fixture.service.log());
    let answer = over_rest.await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (503, &json!("unavailable"))
    );
    let status = over_grpc.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(answer.json()["message"], json!(status.message()));
    lock.commit().await.unwrap();
}

#[test]
fn wrong_settings_are_named() {
    for (variable, value) in [
        ("SERVER_PORT", "http"),
        ("GRPC_SERVER_PORT", "70000"),
        ("DATABASE_POOL_SIZE", "0"),
        ("REQUEST_TIMEOUT", "10"),
        ("QUEUE_CAPACITY", "0"),
        ("READERS", "0"),
        ("DATABASE_URL", "mysql://x"),
    ] {
        let mut service = Service::spawn(BINARY, &[], &[(variable, value)]);
        let status = service.wait();
        let flag = variable.to_lowercase().replace('_', "-");
        // The log is read by a thread of its own.
        let said = service.wait_for_log(&flag, Duration::from_secs(5));
        assert!(!status.success(), "{variable}={value}");
        assert!(said.is_some(), "{variable}={value}: {}", service.log());
    }
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let fixture = Fixture::start().await;
    for (variable, port) in [
        ("SERVER_PORT", fixture.service.http().port()),
        ("GRPC_SERVER_PORT", fixture.service.grpc().port()),
    ] {
        let port = port.to_string();
        let environment = [("DATABASE_URL", fixture.database.url()), (variable, &port)];
        let mut second = Service::spawn(BINARY, &[], &environment);
        assert_eq!(second.wait().code(), Some(1));
        let said = second.wait_for_log(&format!("port {port}"), Duration::from_secs(5));
        assert!(said.is_some(), "{}", second.log());
    }
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
