//! Middleware around every request: counts and times it, gives it an id, makes HEAD a GET without a body, lets scripts read
//! the answer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use protect::access::Call;
use protect::{Protection, Refusal};

use super::cors;
use crate::connection::{Busy, Peer, Requests};
use crate::metrics::{HttpRoute, Metrics};
use crate::protection::Held;
use crate::request_id::{self, RequestId};
use crate::status::{Failure, Kind, http_response};

const REQUEST_ID: HeaderName = HeaderName::from_static(request_id::NAME);

/// Counts every request by the pattern of its route and its status, and times it.
#[derive(Clone, Debug)]
pub(super) struct Observe {
    metrics: Metrics,
    /// Present where requests have to be asked about.
    protection: Option<Protection>,
}

impl Observe {
    /// Counts in `metrics`, and asks `protection` about each request.
    pub(super) fn new(metrics: Metrics, protection: &Protection) -> Self {
        Self {
            metrics,
            protection: protection.decides().then(|| protection.clone()),
        }
    }
}

/// Whether the client asked for the head of the answer alone: a handler then begins nothing that lasts.
pub fn wants_head_only(request: &HttpRequest) -> bool {
    request.extensions().contains::<HeadOnly>()
}

/// In the extensions of a HEAD request, which is a GET request from here on.
struct HeadOnly;

impl<S> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse<Answer>;
    type Error = Error;
    type Transform = Observed<S>;
    type InitError = ();
    type Future = Ready<Result<Observed<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Observed {
            service,
            routes: Rc::new(Routes::new(self.metrics.clone())),
            protection: self.protection.clone(),
        }))
    }
}

/// What [`Observe`] makes of a service.
pub(super) struct Observed<S> {
    service: S,
    routes: Rc<Routes>,
    protection: Option<Protection>,
}

impl<S> Service<ServiceRequest> for Observed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error> + 'static,
{
    type Response = ServiceResponse<Answer>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<ServiceResponse<Answer>, Error>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let mut around = Around {
            routes: Rc::clone(&self.routes),
            begun: Instant::now(),
            id: id(request.headers()),
            busy: request.conn_data().map(Requests::begin),
            is_from_script: cors::is_from_script(request.headers()),
            wants_head_only: request.method() == Method::HEAD,
            held: None,
        };
        if around.wants_head_only {
            request.head_mut().method = Method::GET;
            request.extensions_mut().insert(HeadOnly);
        }
        if let Some(message) = around.refusal(&request) {
            let answer = http_response(Kind::Unavailable, message);
            let response = around.finish(request.into_response(answer));
            return Box::pin(ready(Ok(response)));
        }
        if let Some(protection) = &self.protection {
            match admit(protection, &request) {
                Ok(held) => around.held = held,
                Err(refusal) => {
                    let answer = Failure::from(refusal).error_response();
                    let response = around.finish(request.into_response(answer));
                    return Box::pin(ready(Ok(response)));
                }
            }
        }
        let id = RequestId::of(around.id.as_bytes());
        let answer = request_id::sync_scope(id, || self.service.call(request));
        let answer = request_id::scope(id, answer);
        Box::pin(async move {
            match answer.await {
                Ok(response) => Ok(around.finish(response)),
                Err(error) => {
                    let status = error.as_response_error().status_code().as_u16();
                    let took = around.begun.elapsed();
                    around
                        .routes
                        .metrics
                        .http_request("unmatched", status, took);
                    Err(error)
                }
            }
        })
    }
}

/// Decides about a request by its head, and tells its handler who makes it.
fn admit(protection: &Protection, request: &ServiceRequest) -> Result<Option<Held>, Refusal> {
    let call = Call::Rest {
        method: request.method().as_str(),
        // As the router reads it: `/%6detrics` is `/metrics`, and needs what that needs.
        path: request.match_info().as_str(),
    };
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.map(HeaderValue::as_bytes);
    let admitted = match request.conn_data::<Arc<Peer>>() {
        Some(peer) => peer.admit(protection, call, authorization)?,
        None => Peer::default().admit(protection, call, authorization)?,
    };
    request.extensions_mut().insert(admitted.caller.clone());
    Ok(Held::new(admitted))
}

/// The id that the client sent, or a new one.
fn id(headers: &HeaderMap) -> HeaderValue {
    let sent = headers.get(REQUEST_ID);
    match sent.filter(|id| request_id::is_taken(id.as_bytes())) {
        Some(sent) => sent.clone(),
        None => HeaderValue::from_bytes(&request_id::make())
            .unwrap_or_else(|_| HeaderValue::from_static("none")),
    }
}

/// What is known of a request while it is answered.
struct Around {
    routes: Rc<Routes>,
    begun: Instant,
    id: HeaderValue,
    busy: Option<Busy>,
    is_from_script: bool,
    wants_head_only: bool,
    held: Option<Held>,
}

impl Around {
    /// Why the request is not answered, if it is not: its connection is kept for health, or has too many requests.
    fn refusal(&self, request: &ServiceRequest) -> Option<&'static str> {
        let requests = request.conn_data::<Requests>()?;
        if requests.seat().is_for_health() && !request.match_info().as_str().ends_with("/health") {
            return Some("all connections are taken, and this one is kept for health: retry later");
        }
        // HTTP/1 has one at a time, and actix-web tells clients of HTTP/2 no bound.
        let too_many = requests.are_too_many();
        too_many.then_some("the connection has too many requests in flight: retry later")
    }

    fn finish(&mut self, mut response: ServiceResponse) -> ServiceResponse<Answer> {
        let took = self.begun.elapsed();
        let status = response.status().as_u16();
        self.routes.count(response.request(), status, took);
        self.log(&response, took);
        let headers = response.headers_mut();
        if self.is_from_script {
            cors::allow(headers);
        }
        headers.insert(REQUEST_ID, self.id.clone());
        let (busy, wants_head_only) = (self.busy.take(), self.wants_head_only);
        let held = self.held.take();
        let id = RequestId::of(self.id.as_bytes());
        response.map_body(|_, body| {
            let size = match body.size() {
                BodySize::Stream if wants_head_only => BodySize::None,
                size => size,
            };
            Answer {
                body: (!wants_head_only).then_some(body),
                size,
                id,
                held,
                _busy: busy,
            }
        })
    }

    fn log(&self, response: &ServiceResponse, took: Duration) {
        let status = response.status().as_u16();
        if status == 500 {
            // Its cause was logged where it was found.
            tracing::error!(
                request.id = self.id.to_str().unwrap_or_default(),
                http.method = %response.request().method(),
                http.path = response.request().path(),
                "a request was answered with 500"
            );
        }
        tracing::debug!(
            request.id = self.id.to_str().unwrap_or_default(),
            http.method = %response.request().method(),
            http.path = response.request().path(),
            http.status = status,
            duration_ms = took.as_secs_f64() * 1e3,
            "request"
        );
    }
}

/// The body of an answer. Its connection is busy until this is dropped.
pub(super) struct Answer {
    /// Nothing where the client asked for the head alone.
    body: Option<BoxBody>,
    size: BodySize,
    id: RequestId,
    held: Option<Held>,
    _busy: Option<Busy>,
}

impl MessageBody for Answer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let revoked = |held: &mut Held| held.poll_revoked(cx).is_ready();
        if self.held.as_mut().is_some_and(revoked) {
            self.body = None;
        }
        let id = self.id;
        match &mut self.body {
            Some(body) => request_id::sync_scope(id, || body.as_pin_mut().poll_next(cx)),
            None => Poll::Ready(None),
        }
    }
}

/// The counters of one worker thread's routes, found by path: matching the pattern anew for each request costs more
/// than counting.
struct Routes {
    metrics: Metrics,
    /// Only paths that are patterns themselves, so that a client cannot make it grow.
    known: RefCell<HashMap<Box<str>, HttpRoute, foldhash::fast::RandomState>>,
}

impl Routes {
    fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            known: RefCell::default(),
        }
    }

    fn count(&self, request: &HttpRequest, status: u16, took: Duration) {
        if let Some(route) = self.known.borrow_mut().get_mut(request.path()) {
            return route.count(status, took);
        }
        // Only patterns, so that a client cannot add labels without end.
        let pattern = request.match_pattern();
        let mut route = self
            .metrics
            .http_route(pattern.as_deref().unwrap_or("unmatched"));
        route.count(status, took);
        if pattern.as_deref() == Some(request.path()) {
            self.known.borrow_mut().insert(request.path().into(), route);
        }
    }
}
