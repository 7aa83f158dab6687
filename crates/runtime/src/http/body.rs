//! Bodies of requests: read whole, within the limits of their size, their time, and of the memory of all bodies.

use std::future::poll_fn;
use std::task::Poll;

use actix_web::error::PayloadError;
use actix_web::http::{Method, header};
use actix_web::{HttpMessage, HttpRequest, web};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};

use super::decode::{Encoding, Whole};
use crate::connection::{self, ConnectionPolicy, Requests, Unfinished};
use crate::protection::http_caller;
use crate::status::{Failure, Kind};

/// Longest body that is read for nothing, so that the connection stays usable after an error.
const DISCARDED: usize = 64 * 1024;

/// The whole body, decoded, at most `limit` bytes. A body that arrived in one piece is not copied.
///
/// # Errors
/// `TooLarge`, at once where the length is announced; `InvalidArgument` where the client broke off or the encoding is broken;
/// `UnsupportedEncoding`; `RequestTimeout` where it comes too slowly; `ResourceExhausted` where unfinished bodies take all the
/// memory that they may.
pub async fn body(
    request: &HttpRequest,
    payload: web::Payload,
    limit: usize,
) -> Result<Bytes, Failure> {
    let encoding = match Encoding::of(request.headers()) {
        Ok(encoding) => encoding,
        Err(unsupported) => {
            discard_body(request, payload).await;
            return Err(unsupported);
        }
    };
    if announced(request).is_some_and(|length| length > limit as u64) {
        return Err(Failure::new(
            Kind::TooLarge,
            format!("the body is larger than {limit} bytes"),
        ));
    }
    // Bytes of a body without a length are counted once it is whole.
    let caller = http_caller(request);
    if let Some(length) = announced(request) {
        caller.take_bytes(length)?;
        return read(request, payload, limit, encoding).await;
    }
    let whole = read(request, payload, limit, encoding).await?;
    caller.take_bytes(whole.len() as u64)?;
    Ok(whole)
}

/// Reads a body for nothing. What follows a CONNECT is a tunnel, which has no end (RFC 9110, section 9.3.6): nothing of it is read.
pub(super) async fn discard_body(request: &HttpRequest, payload: web::Payload) {
    if request.method() == Method::CONNECT {
        return;
    }
    if announced(request).is_none_or(|length| length <= DISCARDED as u64) {
        drop(read(request, payload, DISCARDED, Encoding::Identity).await);
    }
}

fn announced(request: &HttpRequest) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

async fn read(
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
    encoding: Encoding,
) -> Result<Bytes, Failure> {
    // Nearly every body is there already, in one piece: then nothing is copied, held or timed.
    let first = match payload.next().now_or_never() {
        Some(None) => return Ok(Bytes::new()),
        Some(Some(first)) => Some(first.map_err(broken)?),
        None => None,
    };
    if let (Some(first), Encoding::Identity) = (&first, encoding)
        && first.len() <= limit
        // The end of the body shows only when the next piece is asked for.
        && let Some(second) = payload.next().now_or_never()
    {
        let Some(second) = second.transpose().map_err(broken)? else {
            return Ok(first.clone());
        };
        let pieces = Pieces::new(request, payload, limit);
        return pieces.whole(encoding, [first.clone(), second]).await;
    }
    let pieces = Pieces::new(request, payload, limit);
    pieces.whole(encoding, first).await
}

fn broken(error: actix_web::error::PayloadError) -> Failure {
    let message = match error {
        PayloadError::Incomplete(_) => {
            "the body is incomplete: it ended before its length, or a chunk is not valid".to_owned()
        }
        error => format!("the body is incomplete: {error}"),
    };
    Failure::new(Kind::InvalidArgument, message)
}

/// The pieces of a body that is not there yet.
struct Pieces {
    payload: web::Payload,
    body: connection::Body,
    limit: usize,
    expected: usize,
}

impl Pieces {
    fn new(request: &HttpRequest, payload: web::Payload, limit: usize) -> Self {
        let of_all = request.conn_data().map(Requests::unfinished);
        let unfinished = of_all.unwrap_or_else(|| Unfinished::new(&ConnectionPolicy::default()));
        let announced = announced(request).and_then(|length| usize::try_from(length).ok());
        Self {
            payload,
            body: unfinished.begin(),
            limit,
            expected: announced.unwrap_or(0).min(limit),
        }
    }

    /// Reads what follows `first`.
    async fn whole(
        mut self,
        encoding: Encoding,
        first: impl IntoIterator<Item = Bytes>,
    ) -> Result<Bytes, Failure> {
        let mut whole = Whole::new(encoding, self.expected, self.limit);
        for piece in first {
            self.add(&mut whole, &piece)?;
        }
        while let Some(piece) = self.next().await? {
            self.add(&mut whole, &piece)?;
        }
        whole.finish()
    }

    fn add(&mut self, whole: &mut Whole, piece: &[u8]) -> Result<(), Failure> {
        self.body.came(piece.len());
        whole.add(piece)?;
        let held = self.body.hold(whole.len());
        held.map_err(|connection::Full| {
            Failure::new(
                Kind::ResourceExhausted,
                "too many bodies are under way: retry later",
            )
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        poll_fn(|cx| match self.payload.poll_next_unpin(cx) {
            Poll::Ready(piece) => Poll::Ready(piece.transpose().map_err(broken)),
            Poll::Pending => self.body.poll_late(cx).map(|()| Err(late())),
        })
        .await
    }
}

fn late() -> Failure {
    Failure::new(
        Kind::RequestTimeout,
        "the body of the request did not come in time",
    )
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
