//! Followers.

use std::net::SocketAddr;
use std::time::Duration;

use api::immutable_log::TailRequest;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::support::Fixture;

/// Events of a tail over REST.
pub(crate) struct Sse(BufReader<TcpStream>);

impl Sse {
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("text/event-stream"), "{head}");
        Self(stream)
    }

    /// `id` and `data` of the next event; `None` at the clean end of the body.
    pub(crate) async fn next(&mut self) -> Option<(u64, serde_json::Value)> {
        let mut id = None;
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(Duration::from_secs(60), self.0.read_line(&mut line));
            assert!(
                read.await.expect("an event in time").unwrap() > 0,
                "cut off"
            );
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.parse().unwrap());
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some((id.unwrap(), serde_json::from_str(text).unwrap()));
            } else if line == "0" {
                // The last chunk.
                return None;
            }
        }
    }
}

#[tokio::test]
async fn followers_see_what_is_there_and_what_comes() {
    let fixture = Fixture::start();
    let client = fixture.client().await;
    for n in 0..3 {
        client.append("p", &n.to_string()).await.unwrap();
    }
    let tail = async |start_seq, follow| {
        let request = TailRequest {
            partition: "p".into(),
            start_seq,
            follow,
        };
        client.0.clone().tail(request).await.unwrap().into_inner()
    };
    let mut grpc_all = tail(Some(0), true).await;
    let mut grpc_end = tail(None, true).await;
    let mut grpc_later = tail(Some(4), true).await;
    let address = fixture.service.http();
    let mut sse_all = Sse::open(address, "/api/v1/logs/p/tail?start=0", "").await;
    let mut sse_end = Sse::open(address, "/api/v1/logs/p/tail", "").await;
    let mut sse_resumed = Sse::open(
        address,
        "/api/v1/logs/p/tail?start=0",
        "last-event-id: 1\r\n",
    )
    .await;
    for n in 3..6 {
        client.append("p", &n.to_string()).await.unwrap();
    }
    for (stream, first) in [(&mut grpc_all, 0), (&mut grpc_end, 3), (&mut grpc_later, 4)] {
        for seq in first..6 {
            let entry = stream.message().await.unwrap().unwrap();
            assert_eq!((entry.seq, entry.data), (seq, seq.to_string()));
        }
    }
    for (stream, first) in [(&mut sse_all, 0), (&mut sse_end, 3), (&mut sse_resumed, 2)] {
        for seq in first..6 {
            let (id, line) = stream.next().await.unwrap();
            assert_eq!(
                (id, &line["seq"], &line["data"]),
                (seq, &seq.into(), &seq.into())
            );
        }
    }
    // Without follow it ends; without a start it begins at the first.
    let mut whole = tail(None, false).await;
    for seq in 0..6 {
        assert_eq!(whole.message().await.unwrap().unwrap().seq, seq);
    }
    assert!(whole.message().await.unwrap().is_none());
}
