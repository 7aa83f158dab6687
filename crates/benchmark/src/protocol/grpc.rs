//! Unary gRPC calls on HTTP/2, many in flight per connection. Works on `h2` directly: messages are
//! prepared bytes, so the layers of a client stub would only cost time.

use std::sync::Arc;
use std::time::Duration;

use api::event::EventResponse;
use bytes::{Buf, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use prost::Message;
use tokio::sync::Mutex;

use super::{Caller, Endpoint, Patience, not_connected};
use crate::tally::{Fate, Lane};
use counted::Counted;

mod counted;

/// HTTP/2 receive windows, bytes: answers are small, so that the default would do, but not with thousands
/// of calls in flight. Part of the experiment, hence fixed and printed.
pub const STREAM_WINDOW: u32 = 64 << 10;
/// See [`STREAM_WINDOW`].
pub const CONNECTION_WINDOW: u32 = 1 << 20;

/// A connection that several callers share.
pub struct GrpcConnection {
    endpoint: Endpoint,
    lane: Arc<Lane>,
    timeout: Duration,
    current: Mutex<Current>,
}

struct Current {
    /// Counts the connections opened in this place, so that of many callers that see one break the first
    /// replaces it and the others take the new one.
    generation: u64,
    sender: SendRequest<Bytes>,
}

impl GrpcConnection {
    /// Connects and exchanges the HTTP/2 preface.
    ///
    /// # Errors
    /// Those of the socket and of HTTP/2.
    pub async fn connect(
        endpoint: Endpoint,
        lane: Arc<Lane>,
        timeout: Duration,
    ) -> std::io::Result<Arc<Self>> {
        let sender = open(&endpoint, &lane, timeout).await?;
        let current = Mutex::new(Current {
            generation: 0,
            sender,
        });
        Ok(Arc::new(Self {
            endpoint,
            lane,
            timeout,
            current,
        }))
    }

    /// A sender that is newer than `seen`, opened if need be.
    async fn renew(&self, seen: u64) -> std::io::Result<(u64, SendRequest<Bytes>)> {
        let mut current = self.current.lock().await;
        if current.generation <= seen {
            let sender = open(&self.endpoint, &self.lane, self.timeout).await?;
            *current = Current {
                generation: seen + 1,
                sender,
            };
        }
        Ok((current.generation, current.sender.clone()))
    }
}

async fn open(
    endpoint: &Endpoint,
    lane: &Arc<Lane>,
    timeout: Duration,
) -> std::io::Result<SendRequest<Bytes>> {
    let stream = endpoint.connect(timeout, &lane.wire).await?;
    let handshake = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(Counted::new(stream, Arc::clone(lane)));
    let (sender, connection) = tokio::time::timeout(timeout, handshake)
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
        .map_err(std::io::Error::other)?;
    // Ends when the last sender is gone or the connection breaks, which the calls report.
    tokio::spawn(async move {
        drop(connection.await);
    });
    sender.ready().await.map_err(std::io::Error::other)
}

/// One of the callers on a connection.
pub struct GrpcCaller {
    connection: Arc<GrpcConnection>,
    generation: u64,
    sender: Option<SendRequest<Bytes>>,
    patience: Patience,
    uri: Uri,
    headers: HeaderMap,
}

impl GrpcCaller {
    /// A caller of the method at `path`, e.g. `/com.example.grpc.EventService/ProcessEvent`.
    ///
    /// # Errors
    /// When authority and path make no URI.
    pub async fn new(connection: Arc<GrpcConnection>, path: &str) -> anyhow::Result<Self> {
        let uri = Uri::builder()
            .scheme("http")
            .authority(connection.endpoint.authority.as_str())
            .path_and_query(path)
            .build()?;
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert("te", HeaderValue::from_static("trailers"));
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        let (generation, sender) = {
            let current = connection.current.lock().await;
            (current.generation, current.sender.clone())
        };
        let patience = Patience::new(connection.timeout);
        Ok(Self {
            connection,
            generation,
            sender: Some(sender),
            patience,
            uri,
            headers,
        })
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

impl Caller for GrpcCaller {
    async fn call(&mut self, request: &mut BytesMut) -> Fate {
        let message = request.split().freeze();
        // A connection may have broken since the last call; nothing has been sent on it then.
        let mut sender = match self.sender.take() {
            Some(sender) => sender.ready().await.ok(),
            None => None,
        };
        if sender.is_none() {
            sender = match self.connection.renew(self.generation).await {
                Ok((generation, sender)) => {
                    self.generation = generation;
                    sender.ready().await.ok()
                }
                Err(error) => return not_connected(&error).await,
            };
        }
        let Some(mut sender) = sender else {
            return not_connected(&std::io::ErrorKind::ConnectionReset.into()).await;
        };
        let (response, mut body) = match sender.send_request(self.request(), false) {
            Ok(sent) => sent,
            Err(error) => return Fate::NotSent(describe(&error)),
        };
        if let Err(error) = body.send_data(message, true) {
            return Fate::Unanswered(describe(&error));
        }
        match self.patience.within(answer(response)).await {
            Some(Ok(fate)) => {
                self.sender = Some(sender);
                fate
            }
            Some(Err(error)) => {
                // Only this call, not the connection: it stays in use.
                if error.is_reset() {
                    self.sender = Some(sender);
                }
                Fate::Unanswered(describe(&error))
            }
            None => {
                self.sender = Some(sender);
                Fate::Unanswered("timeout".into())
            }
        }
    }
}

/// Reads an answer to its end: headers, one message, trailers.
async fn answer(response: h2::client::ResponseFuture) -> Result<Fate, h2::Error> {
    let response = response.await?;
    if response.status() != 200 {
        return Ok(Fate::Failed(format!("http {}", response.status().as_u16())));
    }
    let status = grpc_status(response.headers()).map(str::to_owned);
    let mut body = response.into_body();
    // An answer without a message has its status in the headers.
    if let (Some(status), true) = (status, body.is_end_stream()) {
        return Ok(failed(&status));
    }
    let mut message = Bytes::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        if message.is_empty() {
            message = data;
        } else {
            message = [message, data].concat().into();
        }
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    Ok(match grpc_status(&trailers) {
        Some("0") => message_fate(message),
        Some(status) => failed(status),
        None => Fate::Failed("grpc: no status".into()),
    })
}

fn message_fate(mut message: Bytes) -> Fate {
    if message.len() < 5 {
        return Fate::Failed("grpc: no message".into());
    }
    message.advance(5);
    match EventResponse::decode(message) {
        Ok(response) if response.success => Fate::Acknowledged,
        Ok(_) => Fate::Failed("success=false".into()),
        Err(_) => Fate::Failed("grpc: unreadable message".into()),
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status")?.to_str().ok()
}

fn failed(status: &str) -> Fate {
    let name = match status {
        "1" => "CANCELLED",
        "2" => "UNKNOWN",
        "3" => "INVALID_ARGUMENT",
        "4" => "DEADLINE_EXCEEDED",
        "5" => "NOT_FOUND",
        "7" => "PERMISSION_DENIED",
        "8" => "RESOURCE_EXHAUSTED",
        "10" => "ABORTED",
        "11" => "OUT_OF_RANGE",
        "12" => "UNIMPLEMENTED",
        "13" => "INTERNAL",
        "14" => "UNAVAILABLE",
        other => other,
    };
    Fate::Failed(format!("grpc {name}"))
}

fn describe(error: &h2::Error) -> String {
    match error.reason() {
        Some(reason) => format!("http2 {reason:?}"),
        None => match error.get_io() {
            Some(error) => format!("connection: {}", error.kind()),
            None => "http2: connection error".into(),
        },
    }
}
