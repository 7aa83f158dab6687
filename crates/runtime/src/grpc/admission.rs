//! Asks the protection of the process about each call, by its head.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{Request, header};
use http_body::{Frame, SizeHint};
use protect::access::Call;
use protect::limits::Budget;
use protect::{Protection, Refusal};
use tonic::Status;
use tonic::body::Body;

use crate::connection::Peer;
use crate::protection::{Held, denied};

/// The calls of one connection, each of which is checked before it is answered.
#[derive(Clone, Debug)]
pub(super) struct Admission(Option<Arc<(Protection, Arc<Peer>)>>);

/// A call that is refused.
pub(super) struct Refused {
    pub(super) why: Refusal,
    /// Whether the service has such a method: only those are counted by name.
    pub(super) is_named: bool,
}

impl Admission {
    pub(super) fn new(protection: &Protection, peer: &Arc<Peer>) -> Self {
        let decides = protection.decides();
        Self(decides.then(|| Arc::new((protection.clone(), Arc::clone(peer)))))
    }

    /// Admits or refuses a call, and tells its handler who makes it.
    pub(super) fn admit(&self, request: &mut Request<Body>) -> Result<Option<Held>, Refused> {
        let Some((protection, peer)) = self.0.as_deref() else {
            return Ok(None);
        };
        let call = Call::Grpc {
            path: request.uri().path(),
        };
        let authorization = request.headers().get(header::AUTHORIZATION);
        let admitted = peer
            .admit(
                protection,
                call,
                authorization.map(|value| value.as_bytes()),
            )
            .map_err(|why| Refused {
                why,
                is_named: protection.names(call),
            })?;
        if let Some(budget) = admitted
            .caller
            .budget()
            .filter(|budget| budget.counts_bytes())
        {
            let body = std::mem::replace(request.body_mut(), Body::empty());
            *request.body_mut() = Body::new(Counted {
                body,
                budget: Arc::clone(budget),
                holds_back: admitted.stream,
                waiting: None,
            });
        }
        request.extensions_mut().insert(admitted.caller.clone());
        Ok(Held::new(admitted))
    }
}

/// A body whose bytes are counted against its caller's limit. A single message over the limit is refused; the sender of a
/// stream is slowed down.
struct Counted {
    body: Body,
    budget: Arc<Budget>,
    holds_back: bool,
    waiting: Option<(BoxFuture<'static, ()>, Frame<Bytes>)>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.waiting.is_none() {
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => return other,
            };
            let count = frame.data_ref().map_or(0, |data| data.len() as u64);
            let Err(refusal) = this.budget.take_bytes(count) else {
                return Poll::Ready(Some(Ok(frame)));
            };
            if !this.holds_back {
                return Poll::Ready(Some(Err(denied(refusal))));
            }
            let budget = Arc::clone(&this.budget);
            let waiting = async move { budget.bytes(count).await }.boxed();
            this.waiting = Some((waiting, frame));
        }
        if let Some((waiting, _)) = &mut this.waiting
            && waiting.poll_unpin(cx).is_pending()
        {
            return Poll::Pending;
        }
        Poll::Ready(this.waiting.take().map(|(_, frame)| Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
