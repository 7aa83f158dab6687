//! Where an HTTP/1.1 answer ends, and its status. Pure: bytes in, progress out. `httparse` reads heads and sizes of chunks;
//! where a body ends is left to its users.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use memchr::memmem;

/// What matters of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Whether the connection takes another request.
    pub keep_alive: bool,
}

/// An answer that is there to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The answer.
    pub answer: Answer,
    /// Bytes that it takes.
    pub length: usize,
    head_from: usize,
    body_from: usize,
    chunked: bool,
}

impl Whole {
    /// Status line and headers, out of the bytes that were parsed.
    pub fn head<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.head_from..self.body_from]
    }

    /// The body, out of the bytes that were parsed.
    pub fn body<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let body = &bytes[self.body_from..self.length];
        if self.chunked {
            Cow::Owned(dechunk(body))
        } else {
            Cow::Borrowed(body)
        }
    }
}

/// How far an answer has been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All of it is there.
    Complete(Whole),
    /// Some is missing.
    More,
    /// This is no answer.
    Malformed,
}

/// The longest head that is waited for, bytes.
const MAX_HEAD: usize = 64 << 10;
/// Most headers of an answer.
const MAX_HEADERS: usize = 100;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// After this many bytes.
    Length(usize),
    /// With a chunk of size 0.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The bytes are no HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP/1.1 answer")]
pub struct NotHttp;

/// The head at the start of `bytes`, how its body ends, and where that begins; none when some of it is missing.
///
/// # Errors
/// If the head is malformed, longer than 64 KiB, or has more than 100 headers.
pub fn parse_head(bytes: &[u8]) -> Result<Option<(Answer, Body, usize)>, NotHttp> {
    let mut headers = [MaybeUninit::uninit(); MAX_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    );
    match parsed {
        Ok(httparse::Status::Complete(length)) => {
            let (answer, body) = head(&response).ok_or(NotHttp)?;
            Ok(Some((answer, body, length)))
        }
        Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD => Err(NotHttp),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(NotHttp),
    }
}

/// Looks for a whole answer at the start of `bytes`; `closed` says that no more will come. Interim answers
/// (1xx) are passed over.
pub fn parse(bytes: &[u8], closed: bool) -> Progress {
    parse_to(bytes, closed, false)
}

/// The same for the answer to HEAD, which has no body.
pub fn parse_without_body(bytes: &[u8], closed: bool) -> Progress {
    parse_to(bytes, closed, true)
}

fn parse_to(bytes: &[u8], closed: bool, head_only: bool) -> Progress {
    let mut from = 0;
    loop {
        let (answer, body, head_bytes) = match parse_head(&bytes[from..]) {
            Ok(Some(head)) => head,
            Ok(None) => return Progress::More,
            Err(NotHttp) => return Progress::Malformed,
        };
        let body_from = from + head_bytes;
        if (100..200).contains(&answer.status) {
            from = body_from;
            continue;
        }
        let body = if head_only { Body::Length(0) } else { body };
        let is_chunked = matches!(body, Body::Chunked);
        let length = match body {
            Body::Length(length) => Some(length),
            Body::Chunked => match chunked(&bytes[body_from..]) {
                Ok(length) => length,
                Err(NotHttp) => return Progress::Malformed,
            },
            Body::UntilClose => closed.then(|| bytes.len() - body_from),
        };
        return match length {
            Some(length) if body_from + length <= bytes.len() => Progress::Complete(Whole {
                answer,
                length: body_from + length,
                head_from: from,
                body_from,
                chunked: is_chunked,
            }),
            _ => Progress::More,
        };
    }
}

fn head(response: &httparse::Response<'_, '_>) -> Option<(Answer, Body)> {
    let status = response.code?;
    let mut answer = Answer {
        status,
        keep_alive: response.version? == 1,
    };
    let mut body = match status {
        100..200 | 204 | 304 => Body::Length(0),
        _ => Body::UntilClose,
    };
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        // The length of a name tells most of them apart at the cost of one comparison.
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                let length = std::str::from_utf8(value).ok()?.parse().ok()?;
                if matches!(body, Body::UntilClose) {
                    body = Body::Length(length);
                }
            }
            17 if header.name.eq_ignore_ascii_case("transfer-encoding")
                && value.to_ascii_lowercase().ends_with(b"chunked") =>
            {
                body = Body::Chunked;
            }
            10 if header.name.eq_ignore_ascii_case("connection") => {
                answer.keep_alive = match value.to_ascii_lowercase().as_slice() {
                    b"close" => false,
                    b"keep-alive" => true,
                    _ => answer.keep_alive,
                };
            }
            _ => {}
        }
    }
    if matches!(body, Body::UntilClose) {
        answer.keep_alive = false;
    }
    Some((answer, body))
}

/// The size that a chunk begins with, and the length of that line; none when some of the line is missing.
///
/// # Errors
/// If the line does not begin with a size, or with one beyond all memory.
pub fn chunk_size(bytes: &[u8]) -> Result<Option<(usize, usize)>, NotHttp> {
    match httparse::parse_chunk_size(bytes) {
        Ok(httparse::Status::Complete((line, size))) => {
            let size = usize::try_from(size).map_err(|_| NotHttp)?;
            Ok(Some((size, line)))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(NotHttp),
    }
}

/// What a whole chunked body holds.
fn dechunk(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Ok(Some((size, line))) = chunk_size(rest)
        && let Some(chunk) = rest.get(line..line + size)
        && size > 0
    {
        body.extend_from_slice(chunk);
        rest = rest.get(line + size + 2..).unwrap_or_default();
    }
    body
}

/// The length of a chunked body with its trailers; none when some of it is missing.
fn chunked(bytes: &[u8]) -> Result<Option<usize>, NotHttp> {
    let mut at = 0;
    loop {
        let Some((size, line)) = chunk_size(&bytes[at..])? else {
            return Ok(None);
        };
        at += line;
        if size == 0 {
            return Ok(trailers(&bytes[at..]).map(|length| at + length));
        }
        at = at
            .checked_add(size)
            .and_then(|at| at.checked_add(2))
            .ok_or(NotHttp)?;
        match bytes.get(at - 2..at) {
            Some(b"\r\n") => {}
            Some(_) => return Err(NotHttp),
            None => return Ok(None),
        }
    }
}

fn trailers(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let end = memmem::find(&bytes[at..], b"\r\n")?;
        at += end + 2;
        if end == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, keep-alive, length and body of a whole answer.
    fn complete(bytes: &[u8], closed: bool) -> (u16, bool, usize, String) {
        let Progress::Complete(whole) = parse(bytes, closed) else {
            panic!("not complete: {:?}", String::from_utf8_lossy(bytes))
        };
        let body = String::from_utf8(whole.body(bytes).into_owned()).unwrap();
        (
            whole.answer.status,
            whole.answer.keep_alive,
            whole.length,
            body,
        )
    }

    #[test]
    fn an_answer_to_head_ends_with_its_head() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(parse(answer, false), Progress::More);
        let Progress::Complete(whole) = parse_without_body(answer, false) else {
            panic!("not complete")
        };
        assert_eq!(whole.length, answer.len());
        assert_eq!(whole.head(answer), answer);
    }

    #[test]
    fn whole_answers_are_measured() {
        for (text, status, keep_alive, extra, body) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                200,
                true,
                0,
                "{}",
            ),
            (
                "HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                503,
                false,
                0,
                "",
            ),
            (
                "HTTP/1.0 200 OK\r\ncontent-length:1\r\n\r\nxyz",
                200,
                false,
                2,
                "x",
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", 204, true, 0, ""),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nH",
                200,
                true,
                1,
                "{}",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na;x\r\n0123456789\r\n0\r\nt: 1\r\n\r\n",
                200,
                true,
                0,
                "0123456789",
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
                200,
                true,
                0,
                "",
            ),
        ] {
            let length = text.len() - extra;
            assert_eq!(
                complete(text.as_bytes(), false),
                (status, keep_alive, length, body.to_owned()),
                "{text:?}"
            );
            for cut in 0..length {
                let progress = parse(&text.as_bytes()[..cut], false);
                assert_eq!(progress, Progress::More, "{text:?} {cut}");
            }
        }
    }

    #[test]
    fn a_body_without_length_ends_with_the_connection() {
        let text = b"HTTP/1.1 500 Oops\r\n\r\nsorry";
        assert_eq!(parse(text, false), Progress::More);
        let expected = (500, false, text.len(), "sorry".to_owned());
        assert_eq!(complete(text, true), expected);
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
        ] {
            assert_eq!(
                parse(text.as_bytes(), false),
                Progress::Malformed,
                "{text:?}"
            );
        }
    }
}
