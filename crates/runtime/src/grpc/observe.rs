//! A tower layer that counts and times calls. The code of a call stands in the trailers, at the very end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use super::restate;
use crate::metrics::Metrics;

#[derive(Clone, Debug)]
pub(super) struct ObserveLayer(Metrics);

impl ObserveLayer {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self(metrics)
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observed<S>;

    fn layer(&self, service: S) -> Observed<S> {
        Observed {
            service,
            metrics: self.0.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Observed<S> {
    service: S,
    metrics: Metrics,
}

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<ObservedBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut call = Call {
            metrics: Some(self.metrics.clone()),
            method: request.uri().clone(),
            begun: Instant::now(),
        };
        let answer = self.service.call(request);
        Box::pin(async move {
            let (mut head, inner) = answer.await?.into_parts();
            restate::head(&mut head.headers);
            // An error without an answer has its code in the head.
            call.end_with(&head.headers);
            Ok(Response::from_parts(head, ObservedBody { inner, call }))
        })
    }
}

/// A call that is counted once: when its code is known, or as cancelled when it is dropped before.
struct Call {
    metrics: Option<Metrics>,
    method: Uri,
    begun: Instant,
}

impl Call {
    fn end_with(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get(Status::GRPC_STATUS) {
            self.end(Code::from_bytes(code.as_bytes()));
        }
    }

    fn end(&mut self, code: Code) {
        if let Some(metrics) = self.metrics.take() {
            // Only methods that exist, so that a client cannot add labels without end.
            let method = if code == Code::Unimplemented {
                "unknown"
            } else {
                self.method.path()
            };
            metrics.grpc_request(method, code, self.begun.elapsed());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

pub(super) struct ObservedBody {
    inner: Body,
    call: Call,
}

impl http_body::Body for ObservedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.call.end_with(trailers);
                }
            }
            Poll::Ready(Some(Err(status))) => self.call.end(status.code()),
            Poll::Ready(None) => self.call.end(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
