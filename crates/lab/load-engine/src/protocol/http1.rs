//! HTTP/1.1 by hand: a prepared request is written, an answer is read as far as its length. No headers are
//! built, no body is decoded, so the generator costs a few microseconds a request.
//!
//! - [`answer`]: where an answer ends, and its status

pub mod answer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::{
    Attempt, Caller, Deadline, Endpoint, Headers, IDLE, Incoming, LONG_IDLE, Outgoing,
    after_another, not_connected,
};
use crate::tally::{RequestOutcome, Wire};
use answer::{Progress, Whole};

/// A caller with a keep-alive connection of its own.
pub struct HttpCaller {
    endpoint: Endpoint,
    wire: Arc<Wire>,
    timeout: Duration,
    deadline: Deadline,
    kept: Option<Kept>,
    buffer: BytesMut,
}

/// A connection that waits for the next request.
struct Kept {
    stream: Connection,
    since: Instant,
}

impl HttpCaller {
    /// Connects.
    ///
    /// # Errors
    /// Those of the socket and of TLS.
    pub async fn connect(
        endpoint: Endpoint,
        wire: Arc<Wire>,
        timeout: Duration,
        halted: &CancellationToken,
    ) -> std::io::Result<Self> {
        let stream = endpoint.connect(timeout, &wire).await?;
        let mut caller = Self::new(endpoint, wire, timeout, halted);
        caller.kept = Some(Kept {
            stream,
            since: Instant::now(),
        });
        Ok(caller)
    }

    /// A caller whose connection is opened by its first call: a server of somebody else's may not take hundreds at once.
    #[must_use]
    pub fn new(
        endpoint: Endpoint,
        wire: Arc<Wire>,
        timeout: Duration,
        halted: &CancellationToken,
    ) -> Self {
        Self {
            endpoint,
            wire,
            timeout,
            deadline: Deadline::new(timeout, halted),
            kept: None,
            buffer: BytesMut::with_capacity(1024),
        }
    }

    /// The kept connection with the time for which it has carried nothing; none where there is none, or where the target
    /// has closed it meanwhile.
    async fn take_kept(&mut self) -> Option<(Connection, Duration)> {
        let Kept { mut stream, since } = self.kept.take()?;
        let idle = since.elapsed();
        if idle > IDLE && !stream.is_open().await {
            self.wire.add_replaced();
            return None;
        }
        Some((stream, idle))
    }

    /// One attempt; `read` says what a whole answer, at the start of the bytes that it is given, comes to.
    async fn attempt(
        &mut self,
        request: &[u8],
        head_only: bool,
        read: &mut (impl FnMut(&Whole, &[u8]) -> RequestOutcome + Send),
    ) -> Attempt {
        let (mut stream, idle) = match self.take_kept().await {
            Some(kept) => kept,
            None => {
                let connecting = self.endpoint.connect(self.timeout, &self.wire);
                match self.deadline.within(connecting).await {
                    Ok(Ok(stream)) => (stream, Duration::ZERO),
                    Ok(Err(error)) => return Attempt::Ended(not_connected(&error).await),
                    Err(given_up) => {
                        return Attempt::Ended(RequestOutcome::NotSent(given_up.kind()));
                    }
                }
            }
        };
        self.buffer.clear();
        let exchange = exchange(&mut stream, request, head_only, &mut self.buffer);
        let begun = Instant::now();
        let answer = self.deadline.within(exchange).await;
        Attempt::Ended(match answer {
            Ok(Ok(whole)) => {
                // What follows the answer was never asked for: the connection is out of step.
                if whole.answer.keep_alive && self.buffer.len() == whole.length {
                    let since = Instant::now();
                    self.kept = Some(Kept { stream, since });
                }
                read(&whole, &self.buffer)
            }
            Ok(Err(kind)) => {
                let at_once = self.buffer.is_empty() && begun.elapsed() < LONG_IDLE;
                if idle > LONG_IDLE && at_once {
                    return Attempt::ClosedBefore(kind);
                }
                RequestOutcome::Unanswered(kind)
            }
            Err(given_up) => RequestOutcome::Unanswered(given_up.kind()),
        })
    }
}

impl HttpCaller {
    /// Attempts until the target has not closed the connection meanwhile.
    async fn request(
        &mut self,
        request: &[u8],
        head_only: bool,
        mut read: impl FnMut(&Whole, &[u8]) -> RequestOutcome + Send,
    ) -> RequestOutcome {
        let mut first = None;
        let fate = loop {
            match self.attempt(request, head_only, &mut read).await {
                Attempt::Ended(fate) => break fate,
                // The next attempt has a new connection, which has not been idle.
                Attempt::ClosedBefore(kind) => {
                    self.wire.add_replaced();
                    first = Some(kind);
                }
            }
        };
        after_another(first, fate)
    }
}

impl Caller for HttpCaller {
    async fn call(
        &mut self,
        request: &mut BytesMut,
        mut check: impl FnMut(&[u8]) -> Result<(), &'static str> + Send,
    ) -> RequestOutcome {
        let read = |whole: &Whole, bytes: &[u8]| match whole.answer.status {
            200..=299 => match check(&whole.body(bytes)) {
                Ok(()) => RequestOutcome::Acknowledged,
                Err(wrong) => RequestOutcome::Failed(wrong.into()),
            },
            status => RequestOutcome::Failed(format!("http {status}")),
        };
        let fate = self.request(request, false, read).await;
        request.clear();
        fate
    }

    async fn ask(
        &mut self,
        request: &Outgoing,
        mut judge: impl FnMut(&Incoming<'_>) -> Result<(), String> + Send,
    ) -> RequestOutcome {
        let Outgoing::Http { bytes, head_only } = request else {
            return RequestOutcome::NotSent("not a request of HTTP/1.1".into());
        };
        let read = |whole: &Whole, bytes: &[u8]| {
            let body = whole.body(bytes);
            let incoming = Incoming {
                status: whole.answer.status,
                headers: Headers::Lines(whole.head(bytes)),
                body: &body,
                messages: 1,
            };
            match judge(&incoming) {
                Ok(()) => RequestOutcome::Acknowledged,
                Err(wrong) => RequestOutcome::Failed(wrong),
            }
        };
        self.request(bytes, *head_only, read).await
    }
}

/// One request and its answer, which is at the start of `buffer` then.
async fn exchange(
    stream: &mut Connection,
    request: &[u8],
    head_only: bool,
    buffer: &mut BytesMut,
) -> Result<Whole, String> {
    let io = |error: std::io::Error| format!("connection: {}", error.kind());
    stream.write_all(request).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    let mut closed = false;
    loop {
        let read = stream.read_buf(buffer).await.map_err(io)?;
        closed |= read == 0;
        let progress = match head_only {
            false => answer::parse(buffer, closed),
            true => answer::parse_without_body(buffer, closed),
        };
        match progress {
            Progress::Complete(whole) => return Ok(whole),
            Progress::Malformed => return Err("not an HTTP/1.1 answer".into()),
            Progress::More if closed => return Err("connection closed".into()),
            Progress::More => {}
        }
    }
}
