//! Content encodings of bodies: gzip, within the limit that holds for the decoded bytes.

use std::io::{self, Write};

use actix_web::http::header::{self, HeaderMap};
use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;

use crate::status::{ACCEPTED_ENCODINGS, Failure, Kind};

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
}

impl Encoding {
    /// What the head says.
    ///
    /// # Errors
    /// `UnsupportedEncoding`, also for several encodings.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut named = headers.get_all(header::CONTENT_ENCODING);
        let Some(first) = named.next() else {
            return Ok(Self::Identity);
        };
        let name = first.as_bytes().trim_ascii();
        match name.to_ascii_lowercase().as_slice() {
            _ if named.next().is_some() => {}
            b"" | b"identity" => return Ok(Self::Identity),
            b"gzip" | b"x-gzip" => return Ok(Self::Gzip),
            _ => {}
        }
        Err(Failure::new(
            Kind::UnsupportedEncoding,
            format!("the content encoding must be one of {ACCEPTED_ENCODINGS}"),
        ))
    }
}

/// A body as it is put together.
pub(super) enum Whole {
    Identity(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Whole {
    /// For a body of about `expected` bytes, and at most `limit` when it is decoded.
    pub(super) fn new(encoding: Encoding, expected: usize, limit: usize) -> Self {
        let bounded = |expected| Bounded {
            bytes: BytesMut::with_capacity(expected),
            limit,
            is_full: false,
        };
        match encoding {
            Encoding::Identity => Self::Identity(bounded(expected)),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(bounded(0)))),
        }
    }

    /// Bytes so far, decoded.
    pub(super) fn len(&self) -> usize {
        self.bounded().bytes.len()
    }

    fn bounded(&self) -> &Bounded {
        match self {
            Self::Identity(bounded) => bounded,
            Self::Gzip(decoder) => decoder.get_ref(),
        }
    }

    /// Adds a piece as it came.
    ///
    /// # Errors
    /// `TooLarge`; `InvalidArgument` where it cannot be decoded.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let added = match self {
            Self::Identity(bounded) => bounded.write_all(piece),
            Self::Gzip(decoder) => decoder.write_all(piece),
        };
        added.map_err(|error| self.failure(&error))
    }

    /// The decoded bytes.
    ///
    /// # Errors
    /// As [`add`](Self::add), and `InvalidArgument` where the end is missing.
    pub(super) fn finish(mut self) -> Result<Bytes, Failure> {
        if let Self::Gzip(decoder) = &mut self
            && let Err(error) = decoder.try_finish()
        {
            return Err(self.failure(&error));
        }
        let bytes = match &mut self {
            Self::Identity(bounded) => &mut bounded.bytes,
            Self::Gzip(decoder) => &mut decoder.get_mut().bytes,
        };
        Ok(std::mem::take(bytes).freeze())
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let Bounded { limit, is_full, .. } = self.bounded();
        if *is_full {
            return Failure::new(
                Kind::TooLarge,
                format!("the body is larger than {limit} bytes"),
            );
        }
        Failure::new(
            Kind::InvalidArgument,
            format!("the body is not gzip, as its content encoding says: {error}"),
        )
    }
}

/// Bytes up to a limit.
pub(super) struct Bounded {
    bytes: BytesMut,
    limit: usize,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > self.limit {
            self.is_full = true;
            return Err(io::Error::other("too large"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{CONTENT_ENCODING, HeaderValue};
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn decoded(encoded: &[u8], piece: usize, limit: usize) -> Result<Bytes, Kind> {
        let mut whole = Whole::new(Encoding::Gzip, 0, limit);
        for piece in encoded.chunks(piece) {
            whole.add(piece).map_err(|failure| failure.kind)?;
        }
        whole.finish().map_err(|failure| failure.kind)
    }

    #[test]
    fn gzip_is_decoded_in_any_pieces_within_the_limit() {
        let text = "an event and another ".repeat(1000);
        let two_members = [gzip(text.as_bytes()), gzip(b"x")].concat();
        for piece in [1, 7, 100, two_members.len()] {
            let whole = decoded(&two_members, piece, text.len() + 1).expect("text");
            assert_eq!(whole, format!("{text}x"));
        }
        assert_eq!(decoded(&gzip(b""), 5, 0), Ok(Bytes::new()));
    }

    #[test]
    fn a_bomb_is_too_large_and_no_more_than_the_limit_is_made_of_it() {
        let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
        assert!(bomb.len() < 100_000);
        let mut whole = Whole::new(Encoding::Gzip, 0, 1000);
        let failure = whole.add(&bomb).expect_err("too large");
        assert_eq!(failure.kind, Kind::TooLarge);
        assert!(whole.len() <= 1000);
    }

    #[test]
    fn what_is_no_gzip_is_an_error_of_the_caller() {
        let whole = gzip(b"some text that is long enough");
        let mut damaged = whole.clone();
        let end = damaged.len() - 6;
        damaged[end] ^= 1;
        for wrong in [
            &b"{\"plain\":1}"[..],
            &whole[..whole.len() - 1],
            &whole[..5],
            &damaged,
        ] {
            assert_eq!(decoded(wrong, 1000, 1000), Err(Kind::InvalidArgument));
        }
    }

    #[test]
    fn encodings_are_told_apart() {
        let of = |names: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for name in names {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(name));
            }
            Encoding::of(&headers).map_err(|failure| failure.kind)
        };
        for (names, encoding) in [
            (&[][..], Encoding::Identity),
            (&["identity"], Encoding::Identity),
            (&["GZip "], Encoding::Gzip),
            (&["x-gzip"], Encoding::Gzip),
        ] {
            assert_eq!(of(names), Ok(encoding), "{names:?}");
        }
        for names in [&["br"][..], &["zstd"], &["gzip, gzip"], &["gzip", "gzip"]] {
            assert_eq!(of(names), Err(Kind::UnsupportedEncoding), "{names:?}");
        }
    }
}
