//! Bodies of requests.

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::status::{Failure, Kind};

/// The whole body, at most `limit` bytes. A body that arrived in one piece is not copied.
///
/// # Errors
/// `TooLarge`, at once where the length is announced; `InvalidArgument` where the client broke off.
pub async fn body(
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<Bytes, Failure> {
    let too_large = || {
        Failure::new(
            Kind::TooLarge,
            format!("the body is larger than {limit} bytes"),
        )
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let broken = |error| {
        Failure::new(
            Kind::InvalidArgument,
            format!("the body is incomplete: {error}"),
        )
    };
    let Some(first) = payload.next().await.transpose().map_err(broken)? else {
        return Ok(Bytes::new());
    };
    if first.len() > limit {
        return Err(too_large());
    }
    // The end of the body shows only when the next piece is asked for.
    let Some(second) = payload.next().await.transpose().map_err(broken)? else {
        return Ok(first);
    };
    let expected = announced.map_or(first.len() + second.len(), |length| length as usize);
    let mut whole = BytesMut::with_capacity(expected.min(limit));
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        if whole.len() + piece.len() > limit {
            return Err(too_large());
        }
        whole.extend_from_slice(&piece);
        next = payload.next().await.transpose().map_err(broken)?;
    }
    Ok(whole.freeze())
}

/// Checks that the request says `application/json`, with any parameters. Ask after [`body`]: actix-web closes a
/// connection whose request is answered before its body is read.
///
/// # Errors
/// `UnsupportedMediaType`, also when there is no content type.
pub fn require_json(request: &HttpRequest) -> Result<(), Failure> {
    let as_sent = request.headers().get(header::CONTENT_TYPE);
    if as_sent.is_some_and(|value| value.as_bytes() == b"application/json") {
        return Ok(());
    }
    let content_type = request.content_type().trim();
    if content_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Failure::new(
        Kind::UnsupportedMediaType,
        "the content type must be application/json",
    ))
}

/// Longest body that is read for nothing, so that the connection stays usable after an error.
const DISCARDED: usize = 64 * 1024;

/// Reads a body for nothing.
pub(super) async fn discard_body(request: &HttpRequest, payload: web::Payload) {
    drop(body(request, payload, DISCARDED).await);
}
