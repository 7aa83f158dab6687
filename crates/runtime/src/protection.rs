//! How both faces ask [`protect`] about a call, and how they answer what it refuses.

use actix_web::{HttpMessage, HttpRequest};
use protect::{Caller, Refusal};

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

/// Who makes a request over REST.
pub fn http_caller(request: &HttpRequest) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or_default()
}

/// Who makes a call over gRPC.
pub fn grpc_caller<T>(request: &tonic::Request<T>) -> Caller {
    request
        .extensions()
        .get::<Caller>()
        .cloned()
        .unwrap_or_default()
}
