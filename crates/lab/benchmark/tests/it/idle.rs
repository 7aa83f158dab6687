//! Targets that close connections which carry nothing for a while: that is their right, and no failure.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::process::{command, json};
use crate::services;

/// Answers every request with success, and closes a connection that has carried nothing for `keep`.
async fn closes_idle(keep: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                // A request of these tests comes in one piece.
                while let Ok(Ok(1..)) = tokio::time::timeout(keep, stream.read(&mut buffer)).await {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"success\":true}";
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    address
}

async fn run(arguments: &str, url: &str) -> Value {
    let output = command(&arguments.split(' ').collect::<Vec<_>>())
        .args(["--json=-", "--progress=none", "--warmup=0s", "--url", url])
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    json(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_while_idle_is_replaced() {
    // Each of 50 connections has its turn after 5 s, 4 s after the server has closed it.
    let address = closes_idle(Duration::from_secs(1)).await;
    let result = run(
        "--rate=10 --concurrency=50 --duration=8s",
        &format!("http://{address}"),
    )
    .await;
    assert_eq!(result["requests"]["failed"], 0, "{result}");
    assert_eq!(result["requests"]["missed"], 0, "{result}");
    assert_eq!(result["requests"]["successful"], 80, "{result}");
    assert_eq!(result["events"]["inDoubt"], 0, "{result}");
    assert!(
        result["connectionsReplaced"].as_u64().unwrap() > 20,
        "{result}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_meets_the_closing_goes_again() {
    // Each of 5 connections has its turn in the moment when the server closes it.
    let address = closes_idle(Duration::from_millis(250)).await;
    let result = run(
        "--rate=20 --concurrency=5 --duration=4s",
        &format!("http://{address}"),
    )
    .await;
    assert_eq!(result["requests"]["failed"], 0, "{result}");
    assert_eq!(result["requests"]["successful"], 80, "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_services_close_idle_connections_too() {
    for (protocol, service) in [("rest", "producer-rest"), ("grpc", "producer-grpc")] {
        let started = services::start_with(
            service,
            &[("IDLE_TIMEOUT", "1s"), ("GRPC_MAX_CONNECTION_IDLE", "1s")],
        )
        .await;
        let address = match protocol {
            "rest" => started.service.http(),
            _ => started.service.grpc(),
        };
        let arguments = format!("--protocol={protocol} --rate=5 --concurrency=15 --duration=5s");
        let result = run(&arguments, &format!("http://{address}")).await;
        assert_eq!(result["requests"]["failed"], 0, "{service}: {result}");
        assert_eq!(result["requests"]["successful"], 25, "{service}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_ipv6_has_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        // A machine without IPv6 has no such address.
        return;
    };
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    let host = format!("host: {address}\r\n");
                    let status = if text.contains(&host) {
                        "200 OK"
                    } else {
                        "400 Bad"
                    };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: 16\r\n\r\n{{\"success\":true}}"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    let result = run(
        "--concurrency=2 --duration=200ms",
        &format!("http://{address}"),
    )
    .await;
    assert_eq!(result["requests"]["failed"], 0, "{result}");
    assert_eq!(result["url"], format!("http://{address}"));
}
