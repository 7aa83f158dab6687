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
use super::{Attempt, Caller, Deadline, Endpoint, IDLE, LONG_IDLE, after_another, not_connected};
use crate::tally::{Fate, Wire};
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
        Ok(Self {
            endpoint,
            wire,
            timeout,
            deadline: Deadline::new(timeout, halted),
            kept: Some(Kept {
                stream,
                since: Instant::now(),
            }),
            buffer: BytesMut::with_capacity(1024),
        })
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

    async fn attempt(
        &mut self,
        request: &[u8],
        check: &mut (impl FnMut(&[u8]) -> Result<(), &'static str> + Send),
    ) -> Attempt {
        let (mut stream, idle) = match self.take_kept().await {
            Some(kept) => kept,
            None => {
                let connecting = self.endpoint.connect(self.timeout, &self.wire);
                match self.deadline.within(connecting).await {
                    Ok(Ok(stream)) => (stream, Duration::ZERO),
                    Ok(Err(error)) => return Attempt::Ended(not_connected(&error).await),
                    Err(given_up) => return Attempt::Ended(Fate::NotSent(given_up.kind())),
                }
            }
        };
        self.buffer.clear();
        let exchange = exchange(&mut stream, request, &mut self.buffer);
        let begun = Instant::now();
        let answer = self.deadline.within(exchange).await;
        Attempt::Ended(match answer {
            Ok(Ok(whole)) => {
                // What follows the answer was never asked for: the connection is out of step.
                if whole.answer.keep_alive && self.buffer.len() == whole.length {
                    let since = Instant::now();
                    self.kept = Some(Kept { stream, since });
                }
                match whole.answer.status {
                    200..=299 => match check(&whole.body(&self.buffer)) {
                        Ok(()) => Fate::Acknowledged,
                        Err(wrong) => Fate::Failed(wrong.into()),
                    },
                    status => Fate::Failed(format!("http {status}")),
                }
            }
            Ok(Err(kind)) => {
                let at_once = self.buffer.is_empty() && begun.elapsed() < LONG_IDLE;
                if idle > LONG_IDLE && at_once {
                    return Attempt::ClosedBefore(kind);
                }
                Fate::Unanswered(kind)
            }
            Err(given_up) => Fate::Unanswered(given_up.kind()),
        })
    }
}

impl Caller for HttpCaller {
    async fn call(
        &mut self,
        request: &mut BytesMut,
        mut check: impl FnMut(&[u8]) -> Result<(), &'static str> + Send,
    ) -> Fate {
        let mut first = None;
        let fate = loop {
            match self.attempt(request, &mut check).await {
                Attempt::Ended(fate) => break fate,
                // The next attempt has a new connection, which has not been idle.
                Attempt::ClosedBefore(kind) => {
                    self.wire.add_replaced();
                    first = Some(kind);
                }
            }
        };
        request.clear();
        after_another(first, fate)
    }
}

/// One request and its answer, which is at the start of `buffer` then.
async fn exchange(
    stream: &mut Connection,
    request: &[u8],
    buffer: &mut BytesMut,
) -> Result<Whole, String> {
    let io = |error: std::io::Error| format!("connection: {}", error.kind());
    stream.write_all(request).await.map_err(io)?;
    stream.flush().await.map_err(io)?;
    let mut closed = false;
    loop {
        let read = stream.read_buf(buffer).await.map_err(io)?;
        closed |= read == 0;
        match answer::parse(buffer, closed) {
            Progress::Complete(whole) => return Ok(whole),
            Progress::Malformed => return Err("not an HTTP/1.1 answer".into()),
            Progress::More if closed => return Err("connection closed".into()),
            Progress::More => {}
        }
    }
}
