//! How both faces ask [`protect`] about a call, and how they answer what it refuses.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::{HttpMessage, HttpRequest};
use futures_util::future::BoxFuture;
use protect::limits::Place;
use protect::{Admitted, Caller, Refusal};

use crate::status::Failure;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let failure = Failure::new(refusal.kind(), refusal.to_string());
        match refusal.retry_after_s() {
            Some(seconds) => failure.retry_after(seconds),
            None => failure,
        }
    }
}

/// The gRPC answer to a call that is refused.
pub fn denied(refusal: Refusal) -> tonic::Status {
    Failure::from(refusal).into()
}

/// Who makes a request over REST.
pub fn http_caller(request: &HttpRequest) -> Caller {
    let extensions = request.extensions();
    extensions.get::<Caller>().cloned().unwrap_or_default()
}

/// Who makes a call over gRPC.
pub fn grpc_caller<T>(request: &tonic::Request<T>) -> Caller {
    let extensions = request.extensions();
    extensions.get::<Caller>().cloned().unwrap_or_default()
}

/// What an answer holds until it ends: its place among the caller's streams, and the watch on the caller's credentials.
pub(crate) struct Held {
    _place: Option<Place>,
    /// Completes when the credentials are no longer valid; `None` if the answer is not a stream.
    revoked: Option<BoxFuture<'static, ()>>,
}

impl Held {
    /// What the answer to an admitted call holds; `None` if there is nothing to hold.
    pub(crate) fn new(admitted: Admitted) -> Option<Self> {
        let Admitted {
            caller,
            place,
            stream,
        } = admitted;
        let watched = stream && !caller.is_unrestricted();
        (watched || place.is_some()).then(|| Self {
            _place: place,
            revoked: watched.then(|| Box::pin(caller.revoked()) as BoxFuture<'static, ()>),
        })
    }

    /// Completes once: when a stream must end because its caller's credentials are no longer valid.
    pub(crate) fn poll_revoked(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(revoked) = &mut self.revoked else {
            return Poll::Pending;
        };
        let polled = Pin::new(revoked).poll(cx);
        if polled.is_ready() {
            self.revoked = None;
        }
        polled
    }
}
