//! What both faces offer besides events: HTTP versions, health, reflection, metrics, errors.

use api::benchmark::health_check_response::ServingStatus;
use api::benchmark::health_client::HealthClient;
use api::benchmark::{HealthCheckRequest, StreamRequest};
use testkit::http::{self, Connection};
use testkit::process::Service;
use tonic_health::pb::health_client::HealthClient as StandardHealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::client::{self, Http, Sse};
use crate::support::{BINARY, EPOCH, Fixture, assert_dense, from_the_first, ids, insert_many};

#[tokio::test]
async fn http_2_has_the_same_events() {
    let fixture = Fixture::start().await;
    let writer = fixture.writer().await;
    insert_many(&writer, "t", 3000).await;
    let query = format!("since={EPOCH}&limit=3000");
    let address = fixture.service.http();
    let one = Sse::open_with(address, &query, None, Http::One)
        .await
        .rest()
        .await;
    let two = Sse::open_with(address, &query, None, Http::Two)
        .await
        .rest()
        .await;
    assert_dense(&two, 1);
    assert_eq!(ids(&one), ids(&two));
    let response = client::request(address, "limit=1", None, Http::Two).await;
    assert_eq!(response.version(), hyper::Version::HTTP_2);
    for (name, value) in [("cache-control", "no-store"), ("x-accel-buffering", "no")] {
        assert_eq!(response.headers()[name], value);
    }
    let mut browser = Connection::open(address).await;
    let origin = [("origin", "http://elsewhere.example")];
    let path = format!("/api/v1/transactions/stream?since={EPOCH}&limit=1");
    let response = browser.request("GET", &path, &origin, b"").await;
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    // The connection is used again after a stream that ended.
    let response = browser.request("GET", "/health", &[], b"").await;
    assert_eq!(response.text(), r#"{"status":"healthy"}"#);
}

#[tokio::test]
async fn health_in_both_forms_reflection_and_metrics() {
    let fixture = Fixture::start().await;
    let (address, grpc) = (fixture.service.http(), fixture.service.grpc());
    let healthy = http::get(address, "/health").await;
    assert_eq!(
        (healthy.status, healthy.text()),
        (200, r#"{"status":"healthy"}"#)
    );
    let channel = client::channel(grpc).await;
    for (service, expected) in [
        ("", ServingStatus::Serving),
        ("benchmark.TransactionService", ServingStatus::Serving),
        ("benchmark.Health", ServingStatus::Serving),
        ("benchmark.BalanceService", ServingStatus::Unknown),
    ] {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        let answer = HealthClient::new(channel.clone())
            .check(request)
            .await
            .unwrap();
        assert_eq!(answer.into_inner().status(), expected, "{service}");
    }
    for service in ["", "benchmark.TransactionService", "benchmark.Health"] {
        let request = tonic_health::pb::HealthCheckRequest {
            service: service.into(),
        };
        let mut watch = StandardHealthClient::new(channel.clone())
            .watch(request)
            .await
            .unwrap()
            .into_inner();
        loop {
            let status = watch.message().await.unwrap().unwrap().status;
            if status == i32::from(tonic_health::ServingStatus::Serving as u8) {
                break;
            }
        }
    }
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel.clone())
        .server_reflection_info(futures_util::stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<&str> = list.service.iter().map(|one| one.name.as_str()).collect();
    assert!(names.contains(&"benchmark.TransactionService"), "{names:?}");

    let writer = fixture.writer().await;
    let mut open = fixture.sse("").await;
    let limited = StreamRequest {
        limit: 2,
        ..from_the_first()
    };
    insert_many(&writer, "t", 2).await;
    fixture.grpc(limited).await.rest().await;
    open.take(2).await;
    let text = http::get(address, "/metrics").await.text().to_owned();
    for line in [
        r#"stream_subscribers{face="sse"} 1"#,
        r#"stream_subscribers{face="grpc"} 0"#,
        r#"stream_events_sent_total{face="sse"} 2"#,
        r#"stream_events_sent_total{face="grpc"} 2"#,
        "stream_numbered_total 2",
        "stream_numbering 1",
        "stream_head_sequence 2",
        r#"grpc_requests_total{code="OK",method="/benchmark.TransactionService/StreamTransactions"} 1"#,
    ] {
        assert!(text.contains(line), "no {line} in:\n{text}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_errors_with_a_body() {
    let fixture = Fixture::start().await;
    let address = fixture.service.http();
    let stream = "/api/v1/transactions/stream";
    for (method, path, status, error) in [
        ("GET", "/api/v1/transactions", 404, "not_found"),
        ("POST", stream, 405, "method_not_allowed"),
        ("DELETE", "/health", 405, "method_not_allowed"),
    ] {
        let mut connection = Connection::open(address).await;
        let response = connection.request(method, path, &[], b"").await;
        assert_eq!(response.status, status, "{method} {path}");
        let body = response.json();
        assert_eq!(
            (&body["success"], &body["error"]),
            (&false.into(), &error.into())
        );
    }
}

#[tokio::test]
async fn the_subcommand_health_tells_serving_from_not_serving() {
    let mut fixture = Fixture::start().await;
    let port = fixture.service.http().port().to_string();
    let check = || {
        Service::spawn(BINARY, &["health"], &[("SERVER_PORT", &port)])
            .wait()
            .code()
    };
    assert_eq!(check(), Some(0));
    fixture.service.terminate();
    assert_eq!(check(), Some(1));
}
