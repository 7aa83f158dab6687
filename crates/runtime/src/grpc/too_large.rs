//! A message over the limit is RESOURCE_EXHAUSTED, as gRPC's status codes say and as other servers answer; tonic says
//! OUT_OF_RANGE.

use http::{HeaderMap, HeaderValue};
use tonic::{Code, Status};

/// How tonic begins the message of that status.
const SAID: &str = "Error, decoded message length too large";
/// The same as it stands in a header, percent-encoded.
const SAID_ENCODED: &[u8] = b"Error,%20decoded%20message%20length%20too%20large";

/// Corrects the head of an answer that is an error (a unary call, or a stream that never began).
pub(super) fn restate(head: &mut HeaderMap) {
    let is = |name, expected: &[u8]| {
        head.get(name)
            .is_some_and(|value: &HeaderValue| value.as_bytes().starts_with(expected))
    };
    let out_of_range = head
        .get(Status::GRPC_STATUS)
        .is_some_and(|code| code == "11");
    if out_of_range
        && (is(Status::GRPC_MESSAGE, SAID_ENCODED) || is(Status::GRPC_MESSAGE, SAID.as_bytes()))
    {
        head.insert(Status::GRPC_STATUS, HeaderValue::from_static("8"));
    }
}

/// Corrects the status with which reading a client's stream failed.
pub fn stream_status(status: Status) -> Status {
    if status.code() == Code::OutOfRange && status.message().starts_with(SAID) {
        Status::resource_exhausted(status.message())
    } else {
        status
    }
}
