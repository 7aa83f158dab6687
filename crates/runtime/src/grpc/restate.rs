//! Corrects two statuses for which tonic uses another code than the gRPC specification and other servers do:
//!
//! - a message over the limit is RESOURCE_EXHAUSTED; tonic says OUT_OF_RANGE
//! - a message that does not decode is the client's fault, INVALID_ARGUMENT; tonic says INTERNAL

use http::{HeaderMap, HeaderValue};
use tonic::{Code, Status};

/// The code that tonic uses, and the correct one.
struct Restated {
    said: Code,
    /// How tonic begins the message of that status.
    message: &'static str,
    /// The same as it stands in a header, percent-encoded.
    encoded: &'static str,
    meant: Code,
}

const RESTATED: [Restated; 2] = [
    Restated {
        said: Code::OutOfRange,
        message: "Error, decoded message length too large",
        encoded: "Error,%20decoded%20message%20length%20too%20large",
        meant: Code::ResourceExhausted,
    },
    Restated {
        said: Code::Internal,
        message: "failed to decode Protobuf message",
        encoded: "failed%20to%20decode%20Protobuf%20message",
        meant: Code::InvalidArgument,
    },
];

/// Corrects the head of an answer that is an error (a unary call, or a stream that never began).
pub(super) fn head(head: &mut HeaderMap) {
    let Some(said) = head.get(Status::GRPC_STATUS) else {
        return;
    };
    let said = Code::from_bytes(said.as_bytes());
    let message = head
        .get(Status::GRPC_MESSAGE)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let found = RESTATED.iter().find(|known| {
        let begins = |with: &str| message.starts_with(with.as_bytes());
        known.said == said && (begins(known.encoded) || begins(known.message))
    });
    if let Some(known) = found {
        head.insert(Status::GRPC_STATUS, HeaderValue::from(known.meant as u16));
    }
}

/// Corrects the status with which reading a client's stream failed.
pub fn stream_status(status: Status) -> Status {
    let found = RESTATED
        .iter()
        .find(|known| known.said == status.code() && status.message().starts_with(known.message));
    match found {
        Some(known) => Status::new(known.meant, status.message()),
        None => status,
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, HeaderMap, RESTATED, Status, head, stream_status};

    fn restated(code: Code, message: &str) -> (Code, Code) {
        let status = Status::new(code, message);
        let mut headers = HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        head(&mut headers);
        let of_head = Status::from_header_map(&headers).unwrap().code();
        (of_head, stream_status(status).code())
    }

    #[test]
    fn what_tonic_says_otherwise_is_corrected_and_nothing_else() {
        for known in &RESTATED {
            let both = (known.meant, known.meant);
            assert_eq!(
                restated(known.said, &format!("{}: found", known.message)),
                both
            );
            assert_eq!(restated(known.said, "another"), (known.said, known.said));
            assert_eq!(
                restated(Code::Unknown, known.message),
                (Code::Unknown, Code::Unknown)
            );
        }
    }
}
