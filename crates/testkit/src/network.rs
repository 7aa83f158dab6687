//! What holds for every port of every service: checks that the services' tests share.
//!
//! Services are to run with [`QUICK`], so that limits are reached within a test.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::{Connection, Response, get};
use crate::process::Service;

/// Settings with short limits.
pub const QUICK: [(&str, &str); 3] = [
    ("HEAD_TIMEOUT", "1s"),
    ("BODY_TIMEOUT", "1s"),
    ("IDLE_TIMEOUT", "2s"),
];
/// How much longer than its limit something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
const BROWSER: (&str, &str) = ("origin", "https://example.org");
/// Headers of an answer that differ from one to the next.
const OF_ITS_OWN: [&str; 3] = ["date", "x-request-id", "transfer-encoding"];

/// Connections that send nothing, half of a preface, or a byte now and then, are closed.
pub async fn silence_is_closed(address: SocketAddr) {
    let mut silent = Connection::open(address).await;
    let mut half = Connection::open(address).await;
    half.send(b"PRI * HTTP/2.0\r\n\r\n").await.expect("sent");
    let mut slow = Connection::open(address).await;
    let begun = Instant::now();
    let sending = async {
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".iter().cycle() {
            if slow.send(&[*byte]).await.is_err() {
                return;
            }
            // The pace of a client that is slow on purpose.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, sending).await;
    assert!(
        ended.is_ok(),
        "{address}: a byte now and then keeps a connection open"
    );
    for (connection, what) in [(&mut silent, "silence"), (&mut half, "half a preface")] {
        assert!(
            connection.is_closed_within(PATIENCE).await,
            "{address}: {what}"
        );
    }
    assert!(
        begun.elapsed() >= Duration::from_millis(900),
        "{address}: too early"
    );
}

/// A head that stops is answered with 408, the first one and a later one.
pub async fn a_head_that_stops_is_408(address: SocketAddr, health: &str) {
    for earlier in [0, 1] {
        let mut connection = Connection::open(address).await;
        for _ in 0..earlier {
            let answer = connection.request("GET", health, &[], b"").await;
            assert_eq!(answer.status, 200);
        }
        let part = format!("GET {health} HTTP/1.1\r\nhost: x\r\nx-part");
        connection.send(part.as_bytes()).await.expect("sent");
        let answer = connection.receive(false).await.expect("an answer");
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (408, Some("request_timeout")),
            "after {earlier}"
        );
        assert!(connection.is_closed_within(PATIENCE).await);
    }
}

/// A connection that has been served is closed after IDLE_TIMEOUT, and not before.
pub async fn an_idle_connection_is_closed(address: SocketAddr, health: &str) {
    let mut connection = Connection::open(address).await;
    connection.request("GET", health, &[], b"").await;
    let begun = Instant::now();
    assert!(connection.is_closed_within(PATIENCE).await);
    assert!(begun.elapsed() >= Duration::from_millis(1500));
}

/// A body that stops is answered with 408.
pub async fn a_body_that_stops_is_408(address: SocketAddr, method: &str, path: &str) {
    for framing in ["content-length: 1000", "transfer-encoding: chunked"] {
        let mut connection = Connection::open(address).await;
        let part = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{framing}\r\n\r\n2\r\n[{{\r\n"
        );
        connection.send(part.as_bytes()).await.expect("sent");
        let answer = connection.receive(false).await.expect("an answer");
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (408, Some("request_timeout")),
            "{path} with {framing}"
        );
        assert!(connection.is_closed_within(PATIENCE).await, "{path}");
    }
}

/// Offers to change the protocol are ignored: 500 requests go over one connection.
pub async fn offers_to_upgrade_are_ignored(address: SocketAddr, path: &str) {
    let mut connection = Connection::open(address).await;
    let offers: [&[(&str, &str)]; 3] = [
        &[
            ("connection", "Upgrade, HTTP2-Settings"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
        ],
        &[("Connection", "upgrade"), ("Upgrade", "websocket")],
        &[("connection", "keep-alive, Upgrade")],
    ];
    for number in 0..500 {
        let offer = offers[number % offers.len()];
        let answer = connection.try_request("GET", path, offer, b"").await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}, request {number}: {error}"));
        assert_eq!(answer.status, 200, "{path}, request {number}");
        assert_eq!(answer.header("connection"), None, "{path}");
    }
}

/// HEAD is answered as GET without a body, and the connection goes on. `path` gives the same answer each time.
pub async fn head_is_get_without_a_body(address: SocketAddr, path: &str) {
    let got = get(address, path).await;
    let mut connection = Connection::open(address).await;
    for _ in 0..2 {
        let head = connection.request("HEAD", path, &[], b"").await;
        assert_eq!(head.status, got.status, "{path}");
        assert_eq!(own(&head), own(&got), "{path}");
    }
    let after = connection.request("GET", path, &[], b"").await;
    assert_eq!(
        after.status, got.status,
        "{path}: the connection after HEAD"
    );
}

/// HEAD of a stream is answered at once, as the stream begins, and begins none: the connection goes on.
pub async fn head_of_a_stream_begins_none(address: SocketAddr, path: &str) {
    let mut connection = Connection::open(address).await;
    for _ in 0..3 {
        let head = connection.request("HEAD", path, &[], b"").await;
        assert_eq!(
            (head.status, head.header("content-type")),
            (200, Some("text/event-stream")),
            "{path}"
        );
    }
}

/// Headers that are the same in each answer.
fn own(answer: &Response) -> Vec<(String, String)> {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !OF_ITS_OWN.contains(&name.as_str()));
    if answer
        .header("content-type")
        .is_some_and(|it| it.starts_with("text/plain"))
    {
        // A page of metrics grows.
        headers.retain(|(name, _)| name != "content-length");
    }
    headers.sort();
    headers
}

/// Browsers are told that scripts of any origin may use the methods that a path has.
pub async fn preflights_follow_from_the_routes(address: SocketAddr, path: &str, allowed: &str) {
    let mut connection = Connection::open(address).await;
    for method in allowed.split(", ") {
        let asked = [
            BROWSER,
            ("access-control-request-method", method),
            (
                "access-control-request-headers",
                "authorization,content-type,last-event-id,traceparent",
            ),
        ];
        let answer = connection.request("OPTIONS", path, &asked, b"").await;
        assert_eq!(answer.status, 200, "{method} {path}");
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", allowed),
            (
                "access-control-allow-headers",
                "content-type, authorization, last-event-id, traceparent",
            ),
        ] {
            assert_eq!(answer.header(name), Some(value), "{method} {path}");
        }
    }
    let answer = connection.request("PATCH", path, &[BROWSER], b"").await;
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some(allowed))
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        answer.header("access-control-expose-headers"),
        Some("retry-after, x-request-id")
    );
}

/// `x-request-id` is given back, or made, on success and on errors.
pub async fn request_ids_are_given_back(address: SocketAddr, path: &str) {
    let mut connection = Connection::open(address).await;
    let id = "0af7651916cd43dd8448eb211c80319c";
    for path in [path, "/no/such/path"] {
        let answer = connection
            .request("GET", path, &[("x-request-id", id)], b"")
            .await;
        assert_eq!(answer.header("x-request-id"), Some(id), "{path}");
        let mut made = Vec::new();
        for sent in [&[][..], &[("x-request-id", "with a space")]] {
            let answer = connection.request("GET", path, sent, b"").await;
            made.push(answer.header("x-request-id").expect("an id").to_owned());
        }
        assert_ne!(made[0], made[1], "{path}");
        assert!(made.iter().all(|id| id.len() == 32), "{made:?}");
    }
}

/// A body that is encoded otherwise than with gzip is refused with what is taken, and the connection goes on.
pub async fn other_encodings_are_415(address: SocketAddr, method: &str, path: &str) {
    let mut connection = Connection::open(address).await;
    for _ in 0..2 {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", "br"),
        ];
        let answer = connection.request(method, path, &headers, b"[1]").await;
        assert_eq!(
            (answer.status, answer.header("accept-encoding")),
            (415, Some("gzip, identity")),
            "{path}"
        );
        assert_eq!(answer.json()["error"], "unsupported_media_type");
    }
}

/// Starts `binary` where it may have `files` open files, and waits until it is ready.
pub fn start_with_few_files(
    binary: impl AsRef<Path>,
    arguments: &str,
    files: u32,
    environment: &[(&str, &str)],
) -> Service {
    let binary = binary.as_ref().display();
    let line = format!("ulimit -n {files} && exec '{binary}' {arguments}");
    let service = Service::spawn("/bin/sh", &["-c", &line], environment);
    let ready = service.wait_for_log("\"ready\"", Duration::from_secs(60));
    assert!(ready.is_some(), "not ready:\n{}", service.log());
    service
}

/// With 150 silent connections to each of `ports`, `health` is answered at once on `http`.
pub async fn health_answers_amid_silence(
    ports: &[SocketAddr],
    http: SocketAddr,
    health: &str,
) -> Vec<Connection> {
    let mut silent = Vec::new();
    for port in ports {
        for _ in 0..150 {
            silent.push(Connection::open(*port).await);
        }
    }
    for _ in 0..3 {
        let asked = async {
            // A connection may be closed for want of a place: a client opens another.
            loop {
                let mut connection = Connection::open(http).await;
                if let Ok(answer) = connection.try_request("GET", health, &[], b"").await {
                    return answer.status;
                }
            }
        };
        let status = tokio::time::timeout(Duration::from_secs(5), asked).await;
        assert_eq!(status, Ok(200), "{health}");
    }
    silent
}

/// `bytes`, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
