//! Middleware that counts and times requests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{Error, HttpRequest};
use futures_util::future::LocalBoxFuture;

use crate::metrics::{HttpRoute, Metrics};

/// Counts every request by the pattern of its route and its status, and times it. Add it with `App::wrap`.
#[derive(Clone, Debug)]
pub struct Observe(Metrics);

impl Observe {
    /// Counts in `metrics`.
    pub fn new(metrics: Metrics) -> Self {
        Self(metrics)
    }
}

impl<S, B> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = Observed<S>;
    type InitError = ();
    type Future = Ready<Result<Observed<S>, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Observed {
            service,
            routes: Rc::new(Routes::new(self.0.clone())),
        }))
    }
}

/// What [`Observe`] makes of a service.
pub struct Observed<S> {
    service: S,
    routes: Rc<Routes>,
}

impl<S, B> Service<ServiceRequest> for Observed<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: 'static,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<ServiceResponse<B>, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let begun = Instant::now();
        let routes = Rc::clone(&self.routes);
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            match &answer {
                Ok(response) => {
                    routes.count(
                        response.request(),
                        response.status().as_u16(),
                        begun.elapsed(),
                    );
                }
                Err(error) => {
                    let status = error.as_response_error().status_code().as_u16();
                    routes
                        .metrics
                        .http_request("unmatched", status, begun.elapsed());
                }
            }
            answer
        })
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
