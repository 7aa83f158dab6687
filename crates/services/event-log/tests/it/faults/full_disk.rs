//! A disk without room, and with room again. A limit of zero bytes for every file stands for it: any user may set it on his
//! own process, and every write fails as on a full disk.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testkit::http::{self, Connection, Response};
use testkit::process::Service;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{BINARY, channel, serve};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that survives the signal which comes with such a limit.
fn start(directory: &Path) -> Service {
    let script = r#"trap '' XFSZ; exec "$0" serve"#;
    let environment = [("EVENT_LOG_DIR", directory.to_str().unwrap())];
    let service = Service::spawn("/bin/sh", &["-c", script, BINARY], &environment);
    let ready = service.wait_for_log("ready", PATIENCE);
    assert!(ready.is_some(), "not ready:\n{}", service.log());
    service
}

/// `0` or `unlimited`.
fn limit(service: &Service, bytes: &str) {
    let set = Command::new("prlimit")
        .args(["--pid", &service.pid().to_string()])
        .arg(format!("--fsize={bytes}:"))
        .status()
        .expect("prlimit of util-linux");
    assert!(set.success());
}

async fn put(address: SocketAddr, path: &str, body: &str) -> Response {
    let mut connection = Connection::open(address).await;
    let headers = [("content-type", "application/json")];
    connection
        .request("PUT", path, &headers, body.as_bytes())
        .await
}

async fn health_is(address: SocketAddr, status: u16) {
    let reached = async {
        while http::get(address, "/health").await.status != status {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.unwrap_or_else(|_| panic!("health is not {status}"));
}

/// One write of each kind: an entry, a synced and a buffered record, a commit.
async fn writes(address: SocketAddr) -> [u16; 4] {
    let records =
        |acks: i32| format!(r#"{{"records":[{{"value":"v","partition":0}}],"acks":{acks}}}"#);
    let topic = "/api/v1/topics/t/records";
    let commit = r#"{"offsets":[{"topic":"t","partition":0,"offset":1}]}"#;
    [
        http::post_json(address, "/api/v1/logs/p", r#"{"n":1}"#)
            .await
            .status,
        http::post_json(address, topic, records(-1)).await.status,
        http::post_json(address, topic, records(1)).await.status,
        put(address, "/api/v1/groups/g/offsets", commit)
            .await
            .status,
    ]
}

#[tokio::test]
async fn without_room_health_is_not_green_and_with_room_all_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path());
    let address = service.http();
    let topic = r#"{"name":"t","numPartitions":1}"#;
    assert_eq!(
        http::post_json(address, "/api/v1/topics", topic)
            .await
            .status,
        201
    );
    assert_eq!(writes(address).await, [201, 200, 200, 200]);

    limit(&service, "0");
    for _ in 0..3 {
        assert_eq!(writes(address).await, [503; 4]);
    }
    let refused = http::post_json(address, "/api/v1/logs/p", "1").await;
    assert_eq!(
        refused.json()["message"],
        "there is no room on the disk: retry later"
    );
    assert_eq!(refused.header("retry-after"), Some("1"));
    // What needs a new file as well.
    let other = r#"{"name":"u","numPartitions":1}"#;
    assert_eq!(
        http::post_json(address, "/api/v1/topics", other)
            .await
            .status,
        503
    );
    assert_eq!(
        http::post_json(address, "/api/v1/logs/q", "1").await.status,
        503
    );
    let health = http::get(address, "/health").await;
    assert_eq!(
        (health.status, health.text()),
        (503, r#"{"status":"unhealthy"}"#)
    );
    let command = Command::new(BINARY)
        .args(["health", "--server-port", &address.port().to_string()])
        .env("HOST", "127.0.0.1")
        .output()
        .unwrap();
    assert_eq!(command.status.code(), Some(1));
    let mut standard = HealthClient::new(channel(&service).await);
    let watched = standard.watch(HealthCheckRequest::default()).await.unwrap();
    let mut watched = watched.into_inner();
    let reached = async {
        while watched.message().await.unwrap().unwrap().status() != ServingStatus::NotServing {}
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
    // Reading goes on.
    assert_eq!(
        http::get(address, "/api/v1/logs/p/last").await.json()["seq"],
        0
    );
    let records = http::get(address, "/api/v1/topics/t/partitions/0/records")
        .await
        .json();
    assert_eq!(records["highWatermark"], 2);

    limit(&service, "unlimited");
    // Before anybody appends.
    health_is(address, 200).await;
    let reached = async {
        while watched.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
    assert_eq!(writes(address).await, [201, 200, 200, 200]);
    assert_eq!(
        http::post_json(address, "/api/v1/topics", other)
            .await
            .status,
        201
    );
    let told = service
        .log()
        .matches("no room on the disk: appends are refused")
        .count();
    assert_eq!(told, 1, "{}", service.log());

    // Numbers are dense, and all that was acknowledged is there after a restart, once.
    drop(service);
    let service = serve(folder.path(), &[]);
    let address = service.http();
    let verified = http::get(address, "/api/v1/logs/p/verify").await.json();
    assert_eq!(
        (&verified["valid"], &verified["entriesVerified"]),
        (&true.into(), &2.into())
    );
    let records = http::get(address, "/api/v1/topics/t/partitions/0/records")
        .await
        .json();
    let offsets: Vec<_> = records["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["offset"].clone())
        .collect();
    assert_eq!(offsets, [0, 1, 2, 3]);
    assert_eq!(http::get(address, "/api/v1/groups/g").await.status, 200);
}

#[tokio::test]
async fn without_room_a_topic_can_be_deleted_and_its_offsets_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path());
    let address = service.http();
    let topic = r#"{"name":"t","numPartitions":1}"#;
    assert_eq!(
        http::post_json(address, "/api/v1/topics", topic)
            .await
            .status,
        201
    );
    assert_eq!(writes(address).await, [201, 200, 200, 200]);
    limit(&service, "0");
    let mut connection = Connection::open(address).await;
    let deleted = connection
        .request("DELETE", "/api/v1/topics/t", &[], b"")
        .await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    limit(&service, "unlimited");
    health_is(address, 200).await;
    assert_eq!(
        http::post_json(address, "/api/v1/topics", topic)
            .await
            .status,
        201
    );
    let commit = r#"{"offsets":[{"topic":"t","partition":0,"offset":0}]}"#;
    assert_eq!(
        put(address, "/api/v1/groups/h/offsets", commit)
            .await
            .status,
        200
    );
    for _ in 0..2 {
        let group = http::get(address, "/api/v1/groups/g").await;
        assert_eq!(group.status, 404, "{}", group.text());
    }
    drop(service);
    let service = serve(folder.path(), &[]);
    assert_eq!(
        http::get(service.http(), "/api/v1/groups/g").await.status,
        404
    );
    assert_eq!(
        http::get(service.http(), "/api/v1/groups/h").await.status,
        200
    );
}
