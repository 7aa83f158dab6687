//! A server of `POST /api/v1/events`, no more than the tests need.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::seen::{Policy, Shared, Treatment};

pub(crate) async fn start(policy: Policy) -> (SocketAddr, Shared) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Shared::default();
    let shared = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            shared.accepted();
            tokio::spawn(serve(stream, shared.clone(), policy));
        }
    });
    (address, seen)
}

async fn serve(mut stream: TcpStream, seen: Shared, policy: Policy) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    while let Some(body) = read_request(&mut stream, &mut buffer).await {
        let event: Value = serde_json::from_slice(&body).unwrap();
        let uuid = event["eventHeader"]["uuid"].as_str().unwrap();
        let entity = &event["eventBody"]["entities"][0];
        let id = entity["entityId"].as_str().unwrap();
        let treatment = seen.request(policy, uuid, id, entity["updatedAttributes"].clone());
        let answer = match treatment {
            Treatment::Store => OK,
            Treatment::StoreAfter(delay) => {
                tokio::time::sleep(delay).await;
                OK
            }
            Treatment::Refuse => BUSY,
            Treatment::Vanish => return,
            Treatment::Silent => std::future::pending().await,
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"success\":true}";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n\
                    2\r\n{}\r\n0\r\n\r\n";

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        let text = String::from_utf8_lossy(buffer);
        if let Some(head) = text.find("\r\n\r\n") {
            assert!(
                text.starts_with("POST /api/v1/events HTTP/1.1\r\n"),
                "{text}"
            );
            assert!(
                text.contains("\r\ncontent-type: application/json\r\n"),
                "{text}"
            );
            let length = text[..head].split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if buffer.len() >= head + 4 + length {
                let body = buffer[head + 4..head + 4 + length].to_vec();
                buffer.drain(..head + 4 + length);
                return Some(body);
            }
        }
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
