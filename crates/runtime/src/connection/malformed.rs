//! The answer to a head that cannot be taken. The server's parser refuses it before a route is known, with a status and nothing
//! else; clients get the body of every other error.

use crate::status::{ErrorBody, Kind, error_body};

/// Of the answers of the parser and of nobody else: all others have a request id.
const REQUEST_ID: &[u8] = b"x-request-id";
const EMPTY: &[u8] = b"content-length: 0\r\n";

/// What is to be sent instead of `answer`; `None` where that comes from a route. It looks at the first bytes alone unless they
/// are those of an error of the client's.
pub(super) fn answer_instead(answer: &[u8]) -> Option<String> {
    let status = answer.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let (reason, error, message) = match status {
        b"400" => (
            "Bad Request",
            error_body(Kind::InvalidArgument, "").error,
            "the head of the request is not valid HTTP/1.1, or over 128 KiB",
        ),
        b"414" => (
            "URI Too Long",
            error_body(Kind::TooLarge, "").error,
            "the path of the request is too long",
        ),
        b"431" => (
            "Request Header Fields Too Large",
            error_body(Kind::TooLarge, "").error,
            "the head of the request is too large: at most 128 KiB and 96 fields",
        ),
        _ => return None,
    };
    if contains(answer, REQUEST_ID) || !contains(answer, EMPTY) {
        return None;
    }
    let status = std::str::from_utf8(status).ok()?;
    let body = ErrorBody {
        success: false,
        error,
        message,
    };
    let body = serde_json::to_string(&body).ok()?;
    Some(format!(
        "HTTP/1.1 {status} {reason}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes
        .windows(what.len())
        .any(|window| window.eq_ignore_ascii_case(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_parser_s_answers_are_replaced() {
        let refused = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let answer = answer_instead(refused.as_bytes()).expect("an answer");
        let body = r#"{"success":false,"error":"invalid_argument","message":"the head of the request is not valid HTTP/1.1, or over 128 KiB"}"#;
        assert!(
            answer.ends_with(&format!("content-length: {}\r\n\r\n{body}", body.len())),
            "{answer}"
        );
        for other in [
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "data: x\n\n",
        ] {
            assert_eq!(answer_instead(other.as_bytes()), None, "{other}");
        }
    }
}
