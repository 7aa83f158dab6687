//! Subscribers over both faces, reading one event at a time.

use std::net::SocketAddr;
use std::time::Duration;

use api::benchmark::transaction_service_client::TransactionServiceClient;
use api::benchmark::{StreamRequest, Transaction};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Deserialize;
use tokio::net::TcpStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

/// Longest wait for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An event as both faces have it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    pub(crate) tx_id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) amount: i64,
    pub(crate) r#type: String,
    pub(crate) timestamp: String,
    pub(crate) sequence: u64,
    pub(crate) emitted_at_us: i64,
}

impl From<Transaction> for Event {
    fn from(transaction: Transaction) -> Self {
        Self {
            tx_id: transaction.tx_id,
            from: transaction.from_account,
            to: transaction.to_account,
            amount: transaction.amount_tinybar,
            r#type: transaction.tx_type,
            timestamp: transaction.timestamp,
            sequence: transaction.sequence,
            emitted_at_us: transaction.emitted_at_us,
        }
    }
}

/// What a stream of server-sent events holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Event(Event),
    Comment(String),
}

/// An open stream of server-sent events.
pub(crate) struct Sse {
    body: Incoming,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Http {
    One,
    Two,
}

/// The answer to a request for a stream.
pub(crate) async fn request(
    address: SocketAddr,
    query: &str,
    last_event_id: Option<&str>,
    version: Http,
) -> Response<Incoming> {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let io = TokioIo::new(tcp);
    let uri = format!("http://{address}/api/v1/transactions/stream?{query}");
    let mut request = Request::get(uri).header("host", address.to_string());
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    // The connections' tasks end with the streams.
    let answer = match version {
        Http::One => {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await
        }
        Http::Two => {
            let executor = TokioExecutor::new();
            let (mut sender, connection) = http2::handshake(executor, io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    };
    answer.unwrap()
}

impl Sse {
    pub(crate) async fn open(address: SocketAddr, query: &str) -> Self {
        Self::open_with(address, query, None, Http::One).await
    }

    pub(crate) async fn resume(address: SocketAddr, query: &str, after: u64) -> Self {
        Self::open_with(address, query, Some(&after.to_string()), Http::One).await
    }

    pub(crate) async fn open_with(
        address: SocketAddr,
        query: &str,
        last_event_id: Option<&str>,
        version: Http,
    ) -> Self {
        let response = request(address, query, last_event_id, version).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next frame; `None` at a clean end of the body.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        self.try_frame().await.expect("no broken connection")
    }

    /// The next frame; an error where the connection broke.
    pub(crate) async fn try_frame(&mut self) -> Result<Option<Frame>, hyper::Error> {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let parsed = parse(frame);
                self.text = rest.to_owned();
                return Ok(Some(parsed));
            }
            let more = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            let Some(chunk) = more.expect("something to read in time").transpose()? else {
                assert_eq!(self.text, "", "a half event at the end");
                return Ok(None);
            };
            if let Ok(data) = chunk.into_data() {
                self.text.push_str(std::str::from_utf8(&data).unwrap());
            }
        }
    }

    /// The next event; `None` at the end. Comments are skipped.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            match self.frame().await? {
                Frame::Event(event) => return Some(event),
                Frame::Comment(_) => {}
            }
        }
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.next().await.expect("a further event"));
        }
        events
    }

    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(frame: &str) -> Frame {
    if let Some(comment) = frame.strip_prefix(':') {
        return Frame::Comment(comment.trim().to_owned());
    }
    let lines: Vec<&str> = frame.split('\n').collect();
    let [id, event, data] = lines[..] else {
        panic!("not id, event and data: {frame:?}");
    };
    assert_eq!(event, "event: transaction");
    let event: Event = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(id, format!("id: {}", event.sequence));
    Frame::Event(event)
}

/// An open stream over gRPC.
pub(crate) struct Grpc(Streaming<Transaction>);

pub(crate) async fn channel(address: SocketAddr) -> Channel {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    channel.connect().await.unwrap()
}

impl Grpc {
    pub(crate) async fn open(address: SocketAddr, request: StreamRequest) -> Self {
        Self::try_open(address, request).await.unwrap()
    }

    pub(crate) async fn try_open(
        address: SocketAddr,
        request: StreamRequest,
    ) -> Result<Self, Status> {
        let mut client = TransactionServiceClient::new(channel(address).await);
        let stream = client.stream_transactions(request).await?;
        Ok(Self(stream.into_inner()))
    }

    /// The next event; `None` where the stream ended with OK.
    pub(crate) async fn try_next(&mut self) -> Result<Option<Event>, Status> {
        let next = tokio::time::timeout(PATIENCE, self.0.message()).await;
        Ok(next.expect("something to read in time")?.map(Event::from))
    }

    pub(crate) async fn next(&mut self) -> Option<Event> {
        self.try_next().await.unwrap()
    }

    pub(crate) async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.next().await.expect("a further event"));
        }
        events
    }

    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    pub(crate) async fn some(mut self, count: usize) -> Vec<Event> {
        self.take(count).await
    }

    /// The code that the stream ends with, whatever comes before.
    pub(crate) async fn end(&mut self) -> (Code, String) {
        loop {
            match self.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => return (Code::Ok, String::new()),
                Err(status) => return (status.code(), status.message().to_owned()),
            }
        }
    }
}
