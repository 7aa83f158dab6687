//! The one table from [`Kind`] to what clients see: HTTP status, gRPC code, and the name of the error.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
pub use domain::Kind;
use tonic::metadata::{MetadataMap, MetadataValue};

/// Seconds after which a client may try again: in `Retry-After` over REST, in `retry-after` over gRPC.
pub const RETRY_AFTER_SECONDS: u32 = 1;

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The REST answer's status.
    pub http: StatusCode,
    /// The gRPC answer's code.
    pub grpc: tonic::Code,
    /// The value of `error` in a REST answer.
    pub name: &'static str,
    /// Whether the same request may succeed a moment later, so that the answer says when.
    pub retry: bool,
}

/// What clients see of an error of this kind.
pub fn row(kind: Kind) -> Row {
    use tonic::Code;
    let (http, grpc, name, retry) = match kind {
        Kind::InvalidArgument => (
            StatusCode::BAD_REQUEST,
            Code::InvalidArgument,
            "invalid_argument",
            false,
        ),
        Kind::NotFound => (StatusCode::NOT_FOUND, Code::NotFound, "not_found", false),
        Kind::MethodNotAllowed => (
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Unimplemented,
            "method_not_allowed",
            false,
        ),
        Kind::OutOfRange => (
            StatusCode::BAD_REQUEST,
            Code::OutOfRange,
            "invalid_argument",
            false,
        ),
        Kind::DataLoss => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::DataLoss,
            "internal",
            false,
        ),
        Kind::Conflict => (StatusCode::CONFLICT, Code::AlreadyExists, "conflict", false),
        Kind::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::ResourceExhausted,
            "too_large",
            false,
        ),
        Kind::UnsupportedMediaType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::InvalidArgument,
            "unsupported_media_type",
            false,
        ),
        Kind::UnsupportedEncoding => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Unimplemented,
            "unsupported_media_type",
            false,
        ),
        Kind::RequestTimeout => (
            StatusCode::REQUEST_TIMEOUT,
            Code::DeadlineExceeded,
            "request_timeout",
            false,
        ),
        Kind::ResourceExhausted => (
            StatusCode::SERVICE_UNAVAILABLE,
            Code::ResourceExhausted,
            "unavailable",
            true,
        ),
        Kind::Internal => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Code::Internal,
            "internal",
            false,
        ),
        Kind::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable,
            "unavailable",
            true,
        ),
        Kind::Unauthenticated => (
            StatusCode::UNAUTHORIZED,
            Code::Unauthenticated,
            "unauthenticated",
            false,
        ),
        Kind::PermissionDenied => (
            StatusCode::FORBIDDEN,
            Code::PermissionDenied,
            "permission_denied",
            false,
        ),
        Kind::RateLimited => (
            StatusCode::TOO_MANY_REQUESTS,
            Code::ResourceExhausted,
            "resource_exhausted",
            true,
        ),
    };
    Row {
        http,
        grpc,
        name,
        retry,
    }
}

/// The content encodings that bodies may have.
pub const ACCEPTED_ENCODINGS: &str = "gzip, identity";

/// The REST answer to an error: `{"success":false,"error":"...","message":"..."}` with the status of `kind`,
/// `Retry-After` where a later try may succeed, and `Accept-Encoding` where the encoding is what is wrong.
pub fn http_response(kind: Kind, message: &str) -> HttpResponse {
    http_response_builder(kind).json(error_body(kind, message))
}

fn http_response_builder(kind: Kind) -> HttpResponseBuilder {
    let row = row(kind);
    let mut response = HttpResponse::build(row.http);
    if row.retry {
        response.insert_header((header::RETRY_AFTER, RETRY_AFTER_SECONDS.to_string()));
    }
    if kind == Kind::UnsupportedEncoding {
        response.insert_header((header::ACCEPT_ENCODING, ACCEPTED_ENCODINGS));
    }
    if kind == Kind::Unauthenticated {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    response
}

/// The body of a REST error.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct ErrorBody<'a> {
    /// Always false.
    pub success: bool,
    /// The name of the kind, for example `invalid_argument`.
    pub error: &'static str,
    /// For people; says no internals.
    pub message: &'a str,
}

/// The body of a REST error of this kind.
pub fn error_body(kind: Kind, message: &str) -> ErrorBody<'_> {
    ErrorBody {
        success: false,
        error: row(kind).name,
        message,
    }
}

/// The gRPC answer to an error; RESOURCE_EXHAUSTED for a full queue carries `retry-after` in its trailing metadata.
pub fn grpc_status(kind: Kind, message: impl Into<String>) -> tonic::Status {
    let row = row(kind);
    if row.retry && row.grpc == tonic::Code::ResourceExhausted {
        let mut metadata = MetadataMap::new();
        metadata.insert("retry-after", MetadataValue::from(RETRY_AFTER_SECONDS));
        return tonic::Status::with_metadata(row.grpc, message, metadata);
    }
    tonic::Status::new(row.grpc, message)
}

/// An error as a face answers it: a kind and a message that the client may see.
///
/// In actix-web handlers it works with `?`; `tonic::Status::from` makes the gRPC answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Decides the status.
    pub kind: Kind,
    /// What the client sees.
    pub message: Cow<'static, str>,
    /// Seconds after which to try again, where that is known better than [`RETRY_AFTER_SECONDS`].
    retry_after_s: Option<u32>,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// The same, with the seconds after which to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        row(self.kind).http
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = http_response(self.kind, &self.message);
        if let Some(seconds) = self.retry_after_s {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Failure> for tonic::Status {
    fn from(failure: Failure) -> Self {
        let mut status = grpc_status(failure.kind, failure.message);
        if let Some(seconds) = failure.retry_after_s {
            let metadata = status.metadata_mut();
            metadata.insert("retry-after", MetadataValue::from(seconds));
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_full_queue_says_when_to_come_again_on_both_faces() {
        let response = http_response(Kind::ResourceExhausted, "the queue is full");
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers().get("retry-after").expect("header"), "1");
        let body = actix_web::body::to_bytes(response.into_body())
            .await
            .expect("body");
        assert_eq!(
            body,
            r#"{"success":false,"error":"unavailable","message":"the queue is full"}"#
        );

        let status = grpc_status(Kind::ResourceExhausted, "the queue is full");
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert_eq!(status.metadata().get("retry-after").expect("metadata"), "1");
    }

    #[test]
    fn too_large_is_no_case_for_a_retry() {
        assert!(
            http_response(Kind::TooLarge, "x")
                .headers()
                .get("retry-after")
                .is_none()
        );
        assert!(
            grpc_status(Kind::TooLarge, "x")
                .metadata()
                .get("retry-after")
                .is_none()
        );
    }

    #[test]
    fn the_table_holds_what_the_contract_says_of_protection() {
        for (kind, http, grpc, name) in [
            (
                Kind::Unauthenticated,
                401,
                tonic::Code::Unauthenticated,
                "unauthenticated",
            ),
            (
                Kind::PermissionDenied,
                403,
                tonic::Code::PermissionDenied,
                "permission_denied",
            ),
            (
                Kind::RateLimited,
                429,
                tonic::Code::ResourceExhausted,
                "resource_exhausted",
            ),
        ] {
            let row = row(kind);
            assert_eq!(
                (row.http.as_u16(), row.grpc, row.name),
                (http, grpc, name),
                "{kind:?}"
            );
            let challenge = http_response(kind, "x");
            let challenge = challenge.headers().get("www-authenticate");
            let expected = (kind == Kind::Unauthenticated).then_some("Bearer");
            assert_eq!(
                challenge.map(|value| value.to_str().expect("text")),
                expected
            );
        }
    }

    #[test]
    fn the_table_holds_what_the_contract_says() {
        let table: Vec<_> = [
            Kind::InvalidArgument,
            Kind::NotFound,
            Kind::MethodNotAllowed,
            Kind::Conflict,
            Kind::TooLarge,
            Kind::UnsupportedMediaType,
            Kind::UnsupportedEncoding,
            Kind::RequestTimeout,
            Kind::Internal,
            Kind::Unavailable,
            Kind::ResourceExhausted,
        ]
        .map(|kind| (row(kind).http.as_u16(), row(kind).name))
        .into();
        assert_eq!(
            table,
            [
                (400, "invalid_argument"),
                (404, "not_found"),
                (405, "method_not_allowed"),
                (409, "conflict"),
                (413, "too_large"),
                (415, "unsupported_media_type"),
                (415, "unsupported_media_type"),
                (408, "request_timeout"),
                (500, "internal"),
                (503, "unavailable"),
                (503, "unavailable"),
            ]
        );
    }
}
