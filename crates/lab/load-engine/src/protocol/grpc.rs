//! Unary gRPC calls on HTTP/2, many in flight per connection. Works on `h2` directly: messages are
//! prepared bytes, so the layers of a client stub would only cost time.
//!
//! - this file: connections, and the callers that share them
//! - `answer`: an answer as it comes; `messages`: messages with their prefix, and statuses

mod answer;
mod messages;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::answer::{Checked, Judged, Reader, answer};
use super::{
    Attempt, Caller, Deadline, Endpoint, Incoming, LONG_IDLE, Outgoing, after_another,
    not_connected,
};
use crate::tally::{RequestOutcome, Wire};

pub use self::messages::{PREFIX, framed, grpc_status, next_message, status_name};

/// HTTP/2 receive windows, bytes. Part of the experiment, hence fixed and printed.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// Of one call.
    pub stream: u32,
    /// Of all calls on a connection together.
    pub connection: u32,
}

/// For unary calls: answers are small, so that the default would do, but not with thousands of calls in flight.
pub const WINDOWS: Windows = Windows {
    stream: 64 << 10,
    connection: 1 << 20,
};

/// For streams: large enough that a replay over loopback seldom waits for an update.
pub const STREAM_WINDOWS: Windows = Windows {
    stream: 1 << 20,
    connection: 8 << 20,
};

/// A connection that several callers share.
pub struct GrpcConnection {
    endpoint: Endpoint,
    wire: Arc<Wire>,
    timeout: Duration,
    windows: Windows,
    halted: CancellationToken,
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
        wire: Arc<Wire>,
        timeout: Duration,
        windows: Windows,
        halted: &CancellationToken,
    ) -> std::io::Result<Arc<Self>> {
        let sender = open(&endpoint, &wire, timeout, windows).await?;
        let current = Mutex::new(Current {
            generation: 0,
            sender,
        });
        Ok(Arc::new(Self {
            endpoint,
            wire,
            timeout,
            windows,
            halted: halted.clone(),
            current,
        }))
    }

    /// The sender in use, and its generation.
    pub async fn sender(&self) -> (u64, SendRequest<Bytes>) {
        let current = self.current.lock().await;
        (current.generation, current.sender.clone())
    }

    /// A sender that is newer than `seen`, opened if need be.
    ///
    /// # Errors
    /// If the target takes no connection within the time limit of a request.
    pub async fn renew(&self, seen: u64) -> std::io::Result<(u64, SendRequest<Bytes>)> {
        let mut current = self.current.lock().await;
        if current.generation <= seen {
            let sender = open(&self.endpoint, &self.wire, self.timeout, self.windows).await?;
            *current = Current {
                generation: seen + 1,
                sender,
            };
        }
        Ok((current.generation, current.sender.clone()))
    }
}

/// Opens a connection and exchanges the HTTP/2 preface. The connection is driven by a task, which ends with
/// the last sender.
///
/// # Errors
/// If the target takes no connection, or answers no preface, within `timeout`.
pub async fn open(
    endpoint: &Endpoint,
    wire: &Arc<Wire>,
    timeout: Duration,
    windows: Windows,
) -> std::io::Result<SendRequest<Bytes>> {
    let stream = endpoint.connect(timeout, wire).await?;
    let handshake = h2::client::Builder::new()
        .enable_push(false)
        .initial_window_size(windows.stream)
        .initial_connection_window_size(windows.connection)
        .handshake(stream);
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
    deadline: Deadline,
    /// When the last answer came.
    idle_since: Instant,
    uri: Uri,
    headers: HeaderMap,
}

impl GrpcCaller {
    /// A caller of the method at `path`, e.g. `/com.example.grpc.EventService/ProcessEvent`.
    ///
    /// # Errors
    /// When authority and path make no URI.
    pub async fn new(connection: Arc<GrpcConnection>, path: &str) -> anyhow::Result<Self> {
        let (uri, headers) = target(&connection.endpoint, path)?;
        let (generation, sender) = connection.sender().await;
        let deadline = Deadline::new(connection.timeout, &connection.halted);
        Ok(Self {
            connection,
            generation,
            sender: Some(sender),
            deadline,
            idle_since: Instant::now(),
            uri,
            headers,
        })
    }
}

/// URI and headers of calls of the method at `path`.
///
/// # Errors
/// If `endpoint` and `path` make no URI.
pub fn target(endpoint: &Endpoint, path: &str) -> anyhow::Result<(Uri, HeaderMap)> {
    let uri = Uri::builder()
        .scheme(endpoint.access().scheme())
        .authority(endpoint.authority.as_str())
        .path_and_query(path)
        .build()?;
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    if let Some(value) = endpoint.authorization() {
        headers.insert(http::header::AUTHORIZATION, value.clone());
    }
    Ok((uri, headers))
}

/// The head of a call.
pub fn head(uri: &Uri, headers: &HeaderMap) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers.clone();
    request
}

/// How often a request may find that the target had ended the connection before it took the request: an ageing server
/// may do so to several connections, one after the other.
const ATTEMPTS: usize = 3;

impl Caller for GrpcCaller {
    async fn call(
        &mut self,
        request: &mut BytesMut,
        check: impl FnMut(&[u8]) -> Result<(), &'static str> + Send,
    ) -> RequestOutcome {
        let message = request.split().freeze();
        // Lent, not copied: a copy for each call would cost more than the rest of the bookkeeping.
        let (uri, headers) = (self.uri.clone(), std::mem::take(&mut self.headers));
        let mut reader = Checked {
            check,
            checked: None,
        };
        let fate = self
            .request(|| head(&uri, &headers), message, &mut reader)
            .await;
        self.headers = headers;
        fate
    }

    async fn ask(
        &mut self,
        request: &Outgoing,
        judge: impl FnMut(&Incoming<'_>) -> Result<(), String> + Send,
    ) -> RequestOutcome {
        let Outgoing::Grpc {
            uri,
            headers,
            message,
        } = request
        else {
            return RequestOutcome::NotSent("not a call of gRPC".into());
        };
        let mut reader = Judged {
            judge,
            last: Bytes::new(),
            messages: 0,
        };
        self.request(|| head(uri, headers), message.clone(), &mut reader)
            .await
    }
}

impl GrpcCaller {
    /// Attempts until the target has not ended the connection before it took the request.
    async fn request(
        &mut self,
        head: impl Fn() -> Request<()> + Send,
        message: Bytes,
        reader: &mut impl Reader,
    ) -> RequestOutcome {
        let mut first = None;
        for _ in 1..ATTEMPTS {
            match self.attempt(head(), message.clone(), reader).await {
                Attempt::Ended(fate) => return after_another(first, fate),
                Attempt::ClosedBefore(kind) => {
                    self.connection.wire.add_replaced();
                    first = Some(kind);
                }
            }
        }
        match self.attempt(head(), message, reader).await {
            Attempt::Ended(fate) => after_another(first, fate),
            Attempt::ClosedBefore(kind) => RequestOutcome::Unanswered(kind),
        }
    }

    async fn attempt(
        &mut self,
        head: Request<()>,
        message: Bytes,
        reader: &mut impl Reader,
    ) -> Attempt {
        let idle = self.idle_since.elapsed();
        // A connection may have ended since the last call; nothing has been sent on it then.
        let mut sender = match self.sender.take() {
            Some(sender) => match self.deadline.within(sender.ready()).await {
                Ok(ready) => ready.ok(),
                Err(given_up) => return Attempt::Ended(RequestOutcome::NotSent(given_up.kind())),
            },
            None => None,
        };
        if sender.is_none() {
            let renewing = self.connection.renew(self.generation);
            let renewed = match self.deadline.within(renewing).await {
                Ok(renewed) => renewed,
                Err(given_up) => return Attempt::Ended(RequestOutcome::NotSent(given_up.kind())),
            };
            sender = match renewed {
                Ok((generation, sender)) => {
                    self.generation = generation;
                    sender.ready().await.ok()
                }
                Err(error) => return Attempt::Ended(not_connected(&error).await),
            };
        }
        let Some(mut sender) = sender else {
            let error = std::io::ErrorKind::ConnectionReset.into();
            return Attempt::Ended(not_connected(&error).await);
        };
        let begun = Instant::now();
        let said = AtomicBool::new(false);
        let closed = |error: &h2::Error| {
            let quick = idle > LONG_IDLE && begun.elapsed() < LONG_IDLE;
            // What has been answered in part was taken.
            !said.load(Ordering::Relaxed) && (untaken(error) || (error.is_io() && quick))
        };
        let (response, mut body) = match sender.send_request(head, false) {
            Ok(sent) => sent,
            Err(error) if closed(&error) => return Attempt::ClosedBefore(describe(&error)),
            Err(error) => return Attempt::Ended(RequestOutcome::NotSent(describe(&error))),
        };
        if let Err(error) = body.send_data(message, true) {
            return match closed(&error) {
                true => Attempt::ClosedBefore(describe(&error)),
                false => Attempt::Ended(RequestOutcome::Unanswered(describe(&error))),
            };
        }
        let answered = self.deadline.within(answer(response, &said, reader)).await;
        self.idle_since = Instant::now();
        Attempt::Ended(match answered {
            Ok(Ok(fate)) => {
                self.sender = Some(sender);
                fate
            }
            Ok(Err(error)) if closed(&error) => {
                if error.is_reset() {
                    self.sender = Some(sender);
                }
                return Attempt::ClosedBefore(describe(&error));
            }
            Ok(Err(error)) => {
                // Only this call, not the connection: it stays in use.
                if error.is_reset() {
                    self.sender = Some(sender);
                }
                RequestOutcome::Unanswered(describe(&error))
            }
            Err(given_up) => {
                self.sender = Some(sender);
                RequestOutcome::Unanswered(given_up.kind())
            }
        })
    }
}

/// Whether the target says itself that it has not taken the call (RFC 9113, 6.8 and 8.7): it may go again.
fn untaken(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    let going_away = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
    error.is_remote() && (refused || going_away)
}

/// The error as results count it.
pub fn describe(error: &h2::Error) -> String {
    match error.reason() {
        Some(reason) => format!("http2 {reason:?}"),
        None => match error.get_io() {
            Some(error) => format!("connection: {}", error.kind()),
            None => "http2: connection error".into(),
        },
    }
}
