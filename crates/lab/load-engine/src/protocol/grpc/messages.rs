//! Messages with their prefix, and the status of a call.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use crate::tally::RequestOutcome;

/// Takes a whole message off the front of `buffer`, without its prefix.
pub fn next_message(buffer: &mut BytesMut) -> Option<Bytes> {
    let prefix = buffer.get(1..PREFIX)?;
    let length = prefix
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    if buffer.len() < PREFIX + length {
        return None;
    }
    buffer.advance(PREFIX);
    Some(buffer.split_to(length).freeze())
}

/// Bytes before each message: whether it is compressed, and its length.
pub const PREFIX: usize = 5;

/// `message` with its prefix.
pub fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

/// The number of the status that these headers or trailers carry, as text.
pub fn grpc_status(headers: &HeaderMap) -> Option<&str> {
    headers.get("grpc-status")?.to_str().ok()
}

pub(super) fn failed(status: &str) -> RequestOutcome {
    RequestOutcome::Failed(format!("grpc {}", status_name(status)))
}

/// The name of a status that is given by its number.
pub fn status_name(status: &str) -> &str {
    match status {
        "1" => "CANCELLED",
        "2" => "UNKNOWN",
        "3" => "INVALID_ARGUMENT",
        "4" => "DEADLINE_EXCEEDED",
        "5" => "NOT_FOUND",
        "7" => "PERMISSION_DENIED",
        "8" => "RESOURCE_EXHAUSTED",
        "10" => "ABORTED",
        "11" => "OUT_OF_RANGE",
        "12" => "UNIMPLEMENTED",
        "13" => "INTERNAL",
        "14" => "UNAVAILABLE",
        "16" => "UNAUTHENTICATED",
        other => other,
    }
}
