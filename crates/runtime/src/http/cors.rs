//! What browsers are told: any origin may ask, for the methods that a path has.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

/// Headers that scripts may send.
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("content-type, authorization, last-event-id, traceparent");
/// Headers of an answer that scripts may read.
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("retry-after, x-request-id");
/// How long a browser may remember what it was told, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");
const ANY: HeaderValue = HeaderValue::from_static("*");
const DEPENDS_ON: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);

/// Whether a browser asks what it may send to a path.
pub(super) fn is_preflight(request: &HttpRequest) -> bool {
    let headers = request.headers();
    is_from_script(headers) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a question. Whether that is enough, the browser decides (Fetch, section 4.8).
pub(super) fn preflight(methods: &HeaderValue) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone()))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE))
        .insert_header((header::VARY, DEPENDS_ON))
        .finish()
}

/// Whether a script of a page of another origin may have sent the request. Only browsers send an origin.
pub(super) fn is_from_script(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
}

/// Lets the script read the answer.
pub(super) fn allow(answer: &mut HeaderMap) {
    let mut set = |name: HeaderName, value| {
        answer.insert(name, value);
    };
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    set(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
}
