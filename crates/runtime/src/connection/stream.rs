//! An accepted connection as servers read and write it. It ends itself when the watch over all connections says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::door::Peer;
use super::frames::Frames;
use super::malformed;
use super::seat::Seat;
use super::table::Seated;
use super::transport::Transport;
use super::upgrade;
use crate::status::{Kind, error_body};

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes that are read at once to tell the protocol.
const FIRST_READ: usize = 4096;

/// An accepted connection. Once it is over, reading gives the end of the stream.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    peer: Arc<Peer>,
    seated: Seated,
    /// Read to tell the protocol, and not taken yet.
    first: BytesMut,
    /// Of HTTP/2.
    frames: Option<Frames>,
    /// Whether a part of a head came.
    is_head_begun: bool,
}

impl Connection {
    /// A connection that speaks HTTP/2 from its first byte.
    pub fn http2(transport: Transport, peer: Peer, seated: Seated) -> Self {
        let frames = Frames::new(PREFACE.len(), seated.now_ms());
        Self {
            transport,
            peer: Arc::new(peer),
            seated,
            first: BytesMut::new(),
            frames: Some(frames),
            is_head_begun: false,
        }
    }

    /// A connection that says by its first bytes whether it speaks HTTP/1 or HTTP/2. Waits for them, and no longer than
    /// the limit for a head.
    ///
    /// # Errors
    /// The connection broke or closed; nothing came in time.
    pub async fn http(transport: Transport, peer: Peer, seated: Seated) -> io::Result<Self> {
        let mut connection = Self {
            transport,
            peer: Arc::new(peer),
            seated,
            first: BytesMut::with_capacity(FIRST_READ),
            frames: None,
            is_head_begun: false,
        };
        loop {
            let length = connection.first.len().min(PREFACE.len());
            if connection.first[..length] != PREFACE[..length] {
                break;
            }
            if length == PREFACE.len() {
                let now = connection.seated.now_ms();
                connection.frames = Some(Frames::new(PREFACE.len(), now));
                break;
            }
            let read = std::future::poll_fn(|cx| connection.poll_first(cx));
            if read.await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(connection)
    }

    /// Whether it speaks HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.frames.is_some()
    }

    /// What is known of it.
    pub fn seat(&self) -> &Arc<Seat> {
        self.seated.seat()
    }

    /// Its place among all connections.
    pub fn seated(&self) -> &Seated {
        &self.seated
    }

    /// Who is at its other end.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// What carries its bytes.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = self.transport.read_buf(&mut self.first);
        let polled = std::pin::pin!(read).poll(cx);
        if polled.is_pending() && self.poll_end(cx).is_ready() {
            return Poll::Ready(Ok(0));
        }
        polled
    }

    /// Notes bytes of the client on their way to the server.
    fn take_note(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let (seat, now) = (self.seated.seat(), self.seated.now_ms());
        if let Some(frames) = &mut self.frames {
            let had_begun = frames.has_begun();
            if !frames.follow(bytes, now) {
                tracing::debug!("too many control frames: a connection is closed");
                return Err(io::Error::other("too many control frames"));
            }
            if frames.has_begun() && !had_begun {
                seat.head_is_complete();
            }
        } else if seat.is_idle() {
            // Between requests a head comes; with a request in flight its body, or the head of the next.
            self.is_head_begun = true;
            seat.head_came(now);
            upgrade::ignore_offers(bytes);
        }
        Ok(())
    }

    /// Notes bytes that were sent.
    fn sent(&mut self, written: &Poll<io::Result<usize>>) {
        if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, written) {
            frames.sent(*bytes);
        }
    }

    /// Ready when the connection is over.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let seat = self.seated.seat();
        seat.register(cx.waker());
        if !seat.is_over() {
            return Poll::Pending;
        }
        let has_head = self.is_head_begun || !self.first.is_empty();
        let says_why = seat.is_late() && self.frames.is_none() && has_head;
        tracing::debug!(head_is_late = seat.is_late(), "a connection is closed");
        if says_why {
            self.say_late(cx);
        }
        Poll::Ready(())
    }

    /// Answers a head that did not come in time.
    fn say_late(&mut self, cx: &mut Context<'_>) {
        let body = error_body(
            Kind::RequestTimeout,
            "the head of the request did not come in time",
        );
        let body = serde_json::to_string(&body).unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.say(&answer, cx);
    }

    /// Sends the last answer of the connection. No other is under way then, and this one is short: what the socket does not take
    /// at once is lost.
    fn say(&mut self, answer: &str, cx: &mut Context<'_>) {
        let mut transport = Pin::new(&mut self.transport);
        if let Poll::Ready(Err(error)) = transport.as_mut().poll_write(cx, answer.as_bytes()) {
            tracing::debug!(%error, "the client has gone");
        } else if let Poll::Ready(Err(error)) = transport.poll_flush(cx) {
            tracing::debug!(%error, "the client has gone");
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = if this.first.is_empty() {
            Pin::new(&mut this.transport).poll_read(cx, buffer)
        } else {
            let length = this.first.len().min(buffer.remaining());
            buffer.put_slice(&this.first[..length]);
            this.first.advance(length);
            if this.first.is_empty() {
                this.first = BytesMut::new();
            }
            Poll::Ready(Ok(()))
        };
        if polled.is_pending() {
            // An empty read is the end of the stream.
            return this.poll_end(cx).map(Ok);
        }
        let came = &mut buffer.filled_mut()[before..];
        if !came.is_empty() {
            this.take_note(came)?;
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.frames.is_none()
            && let Some(answer) = malformed::answer_instead(bytes)
        {
            self.say(&answer, cx);
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.transport).poll_write(cx, bytes);
        self.sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.transport).poll_write_vectored(cx, bytes);
        self.sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
