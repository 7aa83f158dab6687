//! The messages of a call on their way in: a message that does not come whole ends the call, and so does too much of such
//! messages over all connections.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tonic::Status;

use super::framing::Framing;
use crate::connection::{self, Full};
use crate::status::{Kind, grpc_status};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a call's request.
pub(super) struct Inbound {
    inner: Incoming,
    body: connection::Body,
    framing: Framing,
    /// Whether the client may be silent between messages, and send none at all.
    is_stream: bool,
}

impl Inbound {
    pub(super) fn new(inner: Incoming, body: connection::Body, is_stream: bool) -> Self {
        Self {
            inner,
            body,
            framing: Framing::default(),
            is_stream,
        }
    }

    fn came(&mut self, piece: &[u8]) -> Result<(), Status> {
        self.framing.follow(piece);
        self.body.came(piece.len());
        let part = self.framing.part();
        if part == 0 && self.is_stream {
            self.body.rest();
        }
        self.body.hold(part).map_err(|Full| {
            grpc_status(
                Kind::ResourceExhausted,
                "too many messages are under way: retry later",
            )
        })
    }

    /// Whether the client owes bytes.
    fn is_awaited(&self) -> bool {
        !self.is_stream || self.framing.part() > 0
    }
}

impl http_body::Body for Inbound {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(piece) = frame.data_ref() {
                    self.came(piece)?;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if self.is_awaited() && self.body.poll_late(cx).is_ready() => {
                let late = grpc_status(Kind::RequestTimeout, "the message did not come in time");
                Poll::Ready(Some(Err(late.into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
