//! HTTP/1.1 by hand: a prepared request is written, an answer is read as far as its length. No headers are
//! built, no body is decoded, so the generator costs a few microseconds a request.
//!
//! - [`answer`]: where an answer ends, and its status

pub mod answer;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Caller, Endpoint, Patience, not_connected};
use crate::tally::{Fate, Wire};
use answer::{Progress, Whole};

/// A caller with a keep-alive connection of its own.
pub struct HttpCaller {
    endpoint: Endpoint,
    wire: Arc<Wire>,
    timeout: Duration,
    patience: Patience,
    stream: Option<TcpStream>,
    buffer: BytesMut,
}

impl HttpCaller {
    /// Connects.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn connect(
        endpoint: Endpoint,
        wire: Arc<Wire>,
        timeout: Duration,
    ) -> std::io::Result<Self> {
        let stream = Some(endpoint.connect(timeout, &wire).await?);
        let patience = Patience::new(timeout);
        let buffer = BytesMut::with_capacity(1024);
        Ok(Self {
            endpoint,
            wire,
            timeout,
            patience,
            stream,
            buffer,
        })
    }
}

impl Caller for HttpCaller {
    async fn call(
        &mut self,
        request: &mut BytesMut,
        check: impl Fn(&[u8]) -> Result<(), &'static str> + Send,
    ) -> Fate {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => match self.endpoint.connect(self.timeout, &self.wire).await {
                Ok(stream) => stream,
                Err(error) => {
                    request.clear();
                    return not_connected(&error).await;
                }
            },
        };
        self.buffer.clear();
        let exchange = exchange(&mut stream, request, &mut self.buffer, &self.wire);
        let answer = self.patience.within(exchange).await;
        request.clear();
        match answer {
            Some(Ok(whole)) => {
                // What follows the answer was never asked for: the connection is out of step.
                if whole.answer.keep_alive && self.buffer.len() == whole.length {
                    self.stream = Some(stream);
                }
                match whole.answer.status {
                    200..=299 => match check(&whole.body(&self.buffer)) {
                        Ok(()) => Fate::Acknowledged,
                        Err(wrong) => Fate::Failed(wrong.into()),
                    },
                    status => Fate::Failed(format!("http {status}")),
                }
            }
            Some(Err(kind)) => Fate::Unanswered(kind),
            None => Fate::Unanswered("timeout".into()),
        }
    }
}

/// One request and its answer, which is at the start of `buffer` then.
async fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    buffer: &mut BytesMut,
    wire: &Wire,
) -> Result<Whole, String> {
    let io = |error: std::io::Error| format!("connection: {}", error.kind());
    stream.write_all(request).await.map_err(io)?;
    wire.add_sent(request.len());
    let mut closed = false;
    loop {
        let read = stream.read_buf(buffer).await.map_err(io)?;
        wire.add_received(read);
        closed |= read == 0;
        match answer::parse(buffer, closed) {
            Progress::Complete(whole) => return Ok(whole),
            Progress::Malformed => return Err("not an HTTP/1.1 answer".into()),
            Progress::More if closed => return Err("connection closed".into()),
            Progress::More => {}
        }
    }
}
