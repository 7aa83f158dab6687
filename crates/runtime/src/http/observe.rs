//! Middleware that counts and times requests.

use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::Instant;

use actix_web::Error;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use futures_util::future::LocalBoxFuture;

use crate::metrics::Metrics;

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
            metrics: Rc::new(self.0.clone()),
        }))
    }
}

/// What [`Observe`] makes of a service.
pub struct Observed<S> {
    service: S,
    metrics: Rc<Metrics>,
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
        let metrics = Rc::clone(&self.metrics);
        let answer = self.service.call(request);
        Box::pin(async move {
            let answer = answer.await;
            match &answer {
                Ok(response) => {
                    // Only patterns, so that a client cannot add labels without end.
                    let route = response.request().match_pattern();
                    let route = route.as_deref().unwrap_or("unmatched");
                    metrics.http_request(route, response.status().as_u16(), begun.elapsed());
                }
                Err(error) => {
                    let status = error.as_response_error().status_code().as_u16();
                    metrics.http_request("unmatched", status, begun.elapsed());
                }
            }
            answer
        })
    }
}
