//! A body that is read while it comes: chunked, or as it is until the connection ends.

use load_engine::protocol::http1::answer::{Body, NotHttp, chunk_size};

/// Takes the framing off.
#[derive(Debug)]
pub struct Unframer {
    state: State,
    /// The start of a chunk's first line.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the line with a chunk's size.
    Size,
    /// This many bytes of a chunk are missing.
    Chunk(usize),
    /// At the line feed after a chunk.
    After,
    /// This many bytes of a body of known length are missing.
    Rest(usize),
    UntilClose,
    Done,
}

/// The longest first line of a chunk.
const MAX_LINE: usize = 1024;

impl Unframer {
    /// Reads a body that ends so, from its beginning.
    pub fn new(body: Body) -> Self {
        let state = match body {
            Body::Chunked => State::Size,
            Body::Length(0) => State::Done,
            Body::Length(length) => State::Rest(length),
            Body::UntilClose => State::UntilClose,
        };
        Self {
            state,
            line: Vec::new(),
        }
    }

    /// Whether the end of the body has come; without a length only the connection's end is one.
    pub fn done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the end of the connection is the end of the body here, and not a break.
    pub fn may_close(&self) -> bool {
        matches!(self.state, State::Done | State::UntilClose)
    }

    /// Reads on; `on` is given the pieces of the body. What follows it is left out.
    ///
    /// # Errors
    /// The body is not chunked as it should be.
    pub fn feed(&mut self, mut bytes: &[u8], mut on: impl FnMut(&[u8])) -> Result<(), NotHttp> {
        while !bytes.is_empty() {
            match self.state {
                State::Done => return Ok(()),
                State::UntilClose => {
                    on(bytes);
                    return Ok(());
                }
                State::Rest(missing) | State::Chunk(missing) => {
                    let (piece, rest) = bytes.split_at(missing.min(bytes.len()));
                    on(piece);
                    bytes = rest;
                    let missing = missing - piece.len();
                    self.state = match (self.state, missing) {
                        (State::Rest(_), 0) => State::Done,
                        (State::Rest(_), missing) => State::Rest(missing),
                        (_, 0) => State::After,
                        (_, missing) => State::Chunk(missing),
                    };
                }
                State::Size => {
                    let line = self.take_line(&mut bytes)?;
                    if let Some(line) = line {
                        let (size, _) = chunk_size(&line)?.ok_or(NotHttp)?;
                        // Trailers, if any, are of no interest.
                        self.state = if size == 0 {
                            State::Done
                        } else {
                            State::Chunk(size)
                        };
                    }
                }
                State::After => match self.take_line(&mut bytes)? {
                    Some(line) if line == b"\r\n" => self.state = State::Size,
                    Some(_) => return Err(NotHttp),
                    None => {}
                },
            }
        }
        Ok(())
    }

    /// A line with its end; none when that is missing.
    fn take_line(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, NotHttp> {
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        self.line.extend_from_slice(piece);
        *bytes = rest;
        if self.line.len() > MAX_LINE {
            return Err(NotHttp);
        }
        Ok(end.map(|_| std::mem::take(&mut self.line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let bytes = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\nrest";
        for cut in 0..bytes.len() {
            let mut unframer = Unframer::new(Body::Chunked);
            let mut text = Vec::new();
            let (first, second) = bytes.split_at(cut);
            for piece in [first, second] {
                unframer
                    .feed(piece, |piece| text.extend_from_slice(piece))
                    .unwrap();
            }
            assert_eq!(text, b"hello world", "cut at {cut}");
            assert!(unframer.done());
        }
        let mut unframer = Unframer::new(Body::Chunked);
        unframer.feed(b"5\r\nhel", |_| {}).unwrap();
        assert!(!unframer.may_close());
        for wrong in [&b"z\r\n"[..], b"1\r\nab\r\n"] {
            assert!(Unframer::new(Body::Chunked).feed(wrong, |_| {}).is_err());
        }
    }

    #[test]
    fn other_bodies_end_by_length_or_with_the_connection() {
        let mut unframer = Unframer::new(Body::Length(3));
        let mut text = Vec::new();
        unframer
            .feed(b"abcd", |piece| text.extend_from_slice(piece))
            .unwrap();
        assert!(unframer.done());
        assert_eq!(text, b"abc");
        let mut unframer = Unframer::new(Body::UntilClose);
        unframer.feed(b"abcd", |_| {}).unwrap();
        assert!(!unframer.done() && unframer.may_close());
    }
}
