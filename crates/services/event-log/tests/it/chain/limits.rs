//! What is too much, and who else holds the directory.

use std::time::Duration;

use api::immutable_log::AppendRequest;
use testkit::http;
use testkit::process::Service;
use tonic::Code;

use crate::support::{BINARY, Fixture};

const MEBIBYTE: usize = 1024 * 1024;

#[tokio::test]
async fn data_may_have_ten_mebibytes() {
    // Without optimisation 60 MiB take their time.
    let fixture = Fixture::start_with(&[("REQUEST_TIMEOUT", "2m")]);
    let client = fixture.client().await;
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert!(
        client
            .append("p", &text(10 * MEBIBYTE))
            .await
            .unwrap()
            .success
    );
    let refused = client.append("p", &text(10 * MEBIBYTE + 1)).await.unwrap();
    assert_eq!(refused.error, "data is larger than 10485760 bytes");
    let request = AppendRequest {
        partition: "p".into(),
        data: text(11 * MEBIBYTE),
    };
    let refused = client.0.clone().append(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let address = fixture.service.http();
    let path = "/api/v1/logs/p";
    assert_eq!(
        http::post_json(address, path, text(10 * MEBIBYTE))
            .await
            .status,
        201
    );
    assert_eq!(
        http::post_json(address, path, text(10 * MEBIBYTE + 1))
            .await
            .status,
        413
    );
    // Each byte takes six in the file.
    let escaped = format!("\"{}\"", "\u{7f}".repeat(10 * MEBIBYTE - 2));
    assert!(client.append("p", &escaped).await.unwrap().success);
    let entries = client.read("p", None, None).await.unwrap();
    assert_eq!(entries[2].data.len(), 6 * (10 * MEBIBYTE - 2) + 2);
}

#[test]
fn one_process_at_a_time_writes_to_a_directory() {
    let fixture = Fixture::start();
    let directory = fixture.folder.path().to_str().unwrap();
    let mut second = Service::spawn(BINARY, &["serve"], &[("EVENT_LOG_DIR", directory)]);
    assert_eq!(second.wait().code(), Some(1));
    let told = format!("{directory} is in use by process {}", fixture.service.pid());
    let line = second.wait_for_log(&told, Duration::from_secs(5));
    assert!(line.is_some(), "{}", second.log());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let settings = [("EVENT_LOG_DIR", "/dev/null/log")];
    let mut service = Service::spawn(BINARY, &["serve"], &settings);
    assert_eq!(service.wait().code(), Some(1));
    let line = service.wait_for_log("/dev/null/log cannot be used", Duration::from_secs(5));
    assert!(line.is_some(), "{}", service.log());
    let settings = [("EVENT_LOG_DURABILITY", "perhaps")];
    let mut service = Service::spawn(BINARY, &["serve"], &settings);
    assert_eq!(service.wait().code(), Some(2));
    let line = service.wait_for_log("--event-log-durability", Duration::from_secs(5));
    assert!(line.is_some(), "{}", service.log());
}

#[tokio::test]
async fn a_connection_can_have_an_age() {
    let age = [
        ("GRPC_MAX_CONNECTION_AGE", "300ms"),
        ("GRPC_MAX_CONNECTION_AGE_GRACE", "300ms"),
    ];
    let fixture = Fixture::start_with(&age);
    let client = fixture.client().await;
    client.append("p", "0").await.unwrap();
    let request = api::immutable_log::TailRequest {
        partition: "p".into(),
        start_seq: None,
        follow: true,
    };
    let mut tail = client.0.clone().tail(request).await.unwrap().into_inner();
    let ended = tokio::time::timeout(Duration::from_secs(30), tail.message()).await;
    assert!(ended.expect("an end").is_err());
    // The client connects anew.
    client.append("p", "1").await.unwrap();
}
