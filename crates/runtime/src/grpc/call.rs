//! Around every call: it is counted, timed, named and ended at its deadline. The code of a call stands in the trailers, at
//! the very end.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use protect::Refusal;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};
use tower::Service;

use super::admission::Admission;
use super::deadline::Deadline;
use super::inbound::Inbound;
use super::restate;
use crate::connection::{Busy, Requests};
use crate::metrics::GrpcCalls;
use crate::protection::{Held, denied};
use crate::request_id::{self, RequestId};
use crate::status::{Kind, grpc_status};

const REQUEST_ID: HeaderName = HeaderName::from_static(request_id::NAME);
/// The message of the answer when all connections are in use.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// The calls of one connection, answered by `S`.
#[derive(Clone, Debug)]
pub(super) struct Calls<S> {
    service: S,
    metrics: GrpcCalls,
    requests: Requests,
    /// Paths of the methods to which a client sends a stream.
    client_streams: Arc<HashSet<String>>,
    peer: TcpConnectInfo,
    admission: Admission,
}

impl<S> Calls<S> {
    pub(super) fn new(
        service: S,
        metrics: GrpcCalls,
        requests: Requests,
        client_streams: Arc<HashSet<String>>,
        peer: TcpConnectInfo,
        admission: Admission,
    ) -> Self {
        Self {
            service,
            metrics,
            requests,
            client_streams,
            peer,
            admission,
        }
    }
}

impl<S> hyper::service::Service<Request<Incoming>> for Calls<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
    S::Future: Send + 'static,
{
    type Response = Response<CallBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let begun = Instant::now();
        let is_stream = self.client_streams.contains(request.uri().path());
        let body = self.requests.unfinished().begin();
        let mut request = request.map(|inner| Body::new(Inbound::new(inner, body, is_stream)));
        let deadline = Deadline::of(request.headers(), begun);
        let id = id(request.headers());
        let log_id = RequestId::of(id.as_bytes());
        let mut call = Call {
            id: log_id,
            metrics: Some(self.metrics.clone()),
            method: request.uri().clone(),
            begun,
            deadline,
            is_named: true,
            _busy: self.requests.begin(),
        };
        let has_no_place =
            self.requests.seat().is_for_health() && !request.uri().path().starts_with(HEALTH);
        let admitted = if has_no_place {
            Err(no_place())
        } else {
            self.admission.admit(&mut request).map_err(|refused| {
                call.is_named = refused.is_named;
                denied(refused.why)
            })
        };
        request.extensions_mut().insert(self.peer.clone());
        // A clone is ready at once, as generated services are.
        let answer = admitted.map(|held| {
            let answer = request_id::sync_scope(log_id, || self.service.clone().call(request));
            (held, request_id::scope(log_id, answer))
        });
        Box::pin(async move {
            let (held, answer) = match answer {
                Ok(answer) => answer,
                Err(status) => return Ok(call.refuse(status, id)),
            };
            let answer = match deadline {
                None => answer.await,
                Some(deadline) => match timeout_at(deadline.at(), answer).await {
                    Ok(answer) => answer,
                    Err(_passed) => return Ok(call.refuse(Deadline::status(), id)),
                },
            };
            let (mut head, inner) = match answer {
                Ok(answer) => answer.into_parts(),
                Err(never) => match never {},
            };
            restate::head(&mut head.headers);
            head.headers.insert(REQUEST_ID, id);
            // An error without an answer has its code in the head.
            call.end_with(&head.headers);
            let body = CallBody {
                inner,
                deadline: call.deadline_of_body(),
                held,
                call,
            };
            Ok(Response::from_parts(head, body))
        })
    }
}

/// The id that the client sent, or a new one.
fn id(headers: &HeaderMap) -> HeaderValue {
    let sent = headers.get(REQUEST_ID);
    let mut id = match sent.filter(|id| request_id::is_taken(id.as_bytes())) {
        Some(sent) => sent.clone(),
        None => HeaderValue::from_bytes(&request_id::make())
            .unwrap_or_else(|_| HeaderValue::from_static("none")),
    };
    // HTTP/2 does not remember it for the next answer then: no id comes twice, and each would push out a header that does.
    id.set_sensitive(true);
    id
}

fn no_place() -> Status {
    let message = "all connections are taken, and this one is kept for health: retry later";
    grpc_status(Kind::Unavailable, message)
}

/// A call that is counted once: when its code is known, or, if it is dropped first, as cancelled or as one whose deadline
/// has passed.
struct Call {
    id: RequestId,
    metrics: Option<GrpcCalls>,
    method: Uri,
    begun: Instant,
    deadline: Option<Deadline>,
    /// Whether the service has such a method, as far as is known.
    is_named: bool,
    _busy: Busy,
}

impl Call {
    /// Ends the call without an answer.
    fn refuse(mut self, status: Status, id: HeaderValue) -> Response<CallBody> {
        self.end(status.code());
        let (mut head, inner) = status.into_http::<Body>().into_parts();
        head.headers.insert(REQUEST_ID, id);
        let body = CallBody {
            inner,
            deadline: None,
            held: None,
            call: self,
        };
        Response::from_parts(head, body)
    }

    fn end_with(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get(Status::GRPC_STATUS) {
            self.end(Code::from_bytes(code.as_bytes()));
        }
    }

    fn end(&mut self, code: Code) {
        if let Some(metrics) = self.metrics.take() {
            // Only methods that exist, so that a client cannot add labels without end.
            let method = if code == Code::Unimplemented || !self.is_named {
                "unknown"
            } else {
                self.method.path()
            };
            let took = self.begun.elapsed();
            metrics.count(method, code, took);
            self.log(code, took);
        }
    }

    fn log(&self, code: Code, took: Duration) {
        if code == Code::DeadlineExceeded {
            let of_the_client = |deadline: Deadline| deadline.at().duration_since(self.begun);
            tracing::debug!(
                request.id = self.id.as_str(),
                grpc.method = self.method.path(),
                deadline_ms = self
                    .deadline
                    .map(|it| of_the_client(it).as_secs_f64() * 1e3),
                duration_ms = took.as_secs_f64() * 1e3,
                "a call was ended: its deadline has passed"
            );
            return;
        }
        tracing::debug!(
            request.id = self.id.as_str(),
            grpc.method = self.method.path(),
            grpc.code = ?code,
            duration_ms = took.as_secs_f64() * 1e3,
            "call"
        );
    }

    /// Ends an answer that is under way when the deadline passes; `None` once its code is known.
    fn deadline_of_body(&self) -> Option<Pin<Box<Sleep>>> {
        let deadline = self.deadline.filter(|_| self.metrics.is_some());
        deadline.map(|deadline| Box::pin(sleep_until(deadline.at())))
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let passed = |deadline: Deadline| deadline.explains_end_at(Instant::now());
        self.end(if self.deadline.is_some_and(passed) {
            Code::DeadlineExceeded
        } else {
            Code::Cancelled
        });
    }
}

/// The body of an answer. Its call, and so its connection, is under way until this is dropped.
pub(super) struct CallBody {
    inner: Body,
    deadline: Option<Pin<Box<Sleep>>>,
    held: Option<Held>,
    call: Call,
}

impl CallBody {
    /// The end of an answer whose deadline has passed.
    fn passed(&mut self) -> Frame<Bytes> {
        self.deadline = None;
        self.end_with(&Deadline::status())
    }

    /// Ends an answer early.
    fn end_with(&mut self, status: &Status) -> Frame<Bytes> {
        // The rest of the answer is not produced.
        self.inner = Body::empty();
        self.held = None;
        let mut trailers = HeaderMap::new();
        if let Err(error) = status.add_header(&mut trailers) {
            tracing::error!(%error, "the status at the end of a call is no header");
        }
        self.call.end(status.code());
        Frame::trailers(trailers)
    }
}

impl http_body::Body for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let passed = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(cx).is_ready();
        if self.deadline.as_mut().is_some_and(passed) {
            return Poll::Ready(Some(Ok(self.passed())));
        }
        let revoked = |held: &mut Held| held.poll_revoked(cx).is_ready();
        if self.held.as_mut().is_some_and(revoked) {
            let status = denied(Refusal::BadCredentials);
            return Poll::Ready(Some(Ok(self.end_with(&status))));
        }
        let id = self.call.id;
        let polled = request_id::sync_scope(id, || Pin::new(&mut self.inner).poll_frame(cx));
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
