//! Health, and the end of the process.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::immutable_log::TailRequest;
use testkit::http;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::tails::Sse;
use crate::support::{BINARY, Client, Fixture, channel, serve};

#[tokio::test]
async fn a_service_says_that_it_serves() {
    let fixture = Fixture::start();
    let address = fixture.service.http();
    assert_eq!(
        http::get(address, "/health").await.text(),
        r#"{"status":"healthy"}"#
    );
    let metrics = http::get(address, "/metrics").await;
    assert!(metrics.text().contains("chain_appends_total 0"));
    let mut health = HealthClient::new(channel(&fixture.service).await);
    let services = [
        "immutablelog.ImmutableLogService",
        "takhin.v1.TakhinService",
    ];
    for service in [""].iter().chain(&services) {
        let request = HealthCheckRequest {
            service: (*service).to_owned(),
        };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(channel(&fixture.service).await);
    let answers = reflection.server_reflection_info(tokio_stream::once(request));
    let answer = answers.await.unwrap().into_inner().message().await.unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.unwrap().message_response else {
        panic!("no list of services")
    };
    for service in services {
        assert!(list.service.iter().any(|listed| listed.name == service));
    }
    let check = |port: u16| {
        let mut command = Command::new(BINARY);
        command.args([
            "health",
            "--host",
            "127.0.0.1",
            "--server-port",
            &port.to_string(),
        ]);
        command.output().unwrap().status.code()
    };
    assert_eq!(check(address.port()), Some(0));
    drop(fixture);
    assert_eq!(check(address.port()), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_appends_and_ends_followers() {
    let mut fixture = Fixture::start();
    let client = fixture.client().await;
    client.append("p", "0").await.unwrap();
    let request = TailRequest {
        partition: "p".into(),
        start_seq: Some(0),
        follow: true,
    };
    let mut tail = client.0.clone().tail(request).await.unwrap().into_inner();
    let mut sse = Sse::open(fixture.service.http(), "/api/v1/logs/p/tail?start=0", "").await;
    let followers = tokio::spawn(async move {
        while sse.next().await.is_some() {}
        loop {
            match tail.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("an end without a status"),
                Err(status) => break status,
            }
        }
    });
    let acknowledged = Arc::new(AtomicU64::new(0));
    let senders: Vec<_> = (0..20)
        .map(|_| {
            let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                while client.append("p", "1").await.is_ok() {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    testkit::eventually("500 appends are acknowledged", async || {
        acknowledged.load(Ordering::Relaxed) >= 500
    })
    .await;
    let begun = Instant::now();
    assert_eq!(
        fixture.service.terminate().code(),
        Some(0),
        "{}",
        fixture.service.log()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let ended = followers.await.unwrap();
    assert_eq!(
        (ended.code(), ended.message()),
        (Code::Unavailable, "shutting down")
    );
    for sender in senders {
        sender.await.unwrap();
    }
    let service = serve(fixture.folder.path(), &[]);
    let entries = Client::connect(&service)
        .await
        .read("p", None, None)
        .await
        .unwrap();
    assert!(entries.len() as u64 > acknowledged.load(Ordering::Relaxed));
}
