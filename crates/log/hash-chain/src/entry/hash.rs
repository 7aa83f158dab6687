//! The hash of an entry.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 in lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub(super) [u8; 64]);

impl Hash {
    /// What the first entry of a chain holds as the hash before it: zeros.
    pub const NONE: Self = Self([b'0'; 64]);

    fn of(sha: Sha256) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(sha.finalize()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0xf)];
        }
        Self(hex)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The hash written as `text`, if it is one.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: [u8; 64] = text.try_into().ok()?;
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        digits.iter().all(is_digit).then_some(Self(digits))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The hash of the canonical JSON of an entry, begun with its data, whose key comes first in that order.
#[derive(Clone, Debug)]
pub struct EntryHash(Sha256);

impl EntryHash {
    /// `data` is canonical JSON.
    #[must_use]
    pub fn begin(data: &[u8]) -> Self {
        let mut sha = Sha256::new();
        sha.update(b"{\"data\":");
        sha.update(data);
        Self(sha)
    }

    /// The rest: the keys partition, prev_hash, seq, ts. `partition` as it stands in JSON.
    #[must_use]
    pub fn finish(mut self, partition: &[u8], before: &Hash, seq: &[u8], ts: &[u8]) -> Hash {
        let parts: [&[u8]; 9] = [
            b",\"partition\":\"",
            partition,
            b"\",\"prev_hash\":\"",
            &before.0,
            b"\",\"seq\":",
            seq,
            b",\"ts\":\"",
            ts,
            b"\"}",
        ];
        let mut rest = [0; 512];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length <= rest.len() {
            // One call is cheaper than nine.
            let mut at = 0;
            for part in parts {
                rest[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
            self.0.update(&rest[..length]);
        } else {
            parts.iter().for_each(|part| self.0.update(part));
        }
        Hash::of(self.0)
    }
}
