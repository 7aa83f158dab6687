//! One entry, as a line of the file: `{"seq":0,"ts":"...","partition":"...","prev_hash":"...","data":...,"hash":"..."}`.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::name::PartitionName;

mod hash;
mod timestamp;

pub use hash::{EntryHash, Hash};
use timestamp::TIMESTAMP_BYTES;
pub use timestamp::Timestamp;

/// Longest line: data of 10 MiB whose every byte takes six as an escape, and what stands around it.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// Where an append went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The place in the chain, from 0.
    pub seq: u64,
    /// When it was written.
    pub timestamp: Timestamp,
    /// The entry's hash.
    pub hash: Hash,
}

/// Digits of the largest number.
pub(super) const NUMBER_BYTES: usize = 20;

/// A number as text, at the end of `digits`.
pub(super) fn decimal(mut number: u64, digits: &mut [u8; NUMBER_BYTES]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// The bytes of an entry that stand before and behind its data, and the line's end.
pub(super) fn write_line(
    head: (&[u8], &[u8]),
    partition: &PartitionName,
    before: &Hash,
    data: &[u8],
    hash: &Hash,
    out: &mut Vec<u8>,
) {
    let (seq, ts) = head;
    for part in [
        b"{\"seq\":",
        seq,
        b",\"ts\":\"",
        ts,
        b"\",\"partition\":\"",
        partition.json(),
        b"\",\"prev_hash\":\"",
        &before.0,
        b"\",\"data\":",
        data,
        b",\"hash\":\"",
        &hash.0,
        b"\"}\n",
    ] {
        out.extend_from_slice(part);
    }
}

/// A line that has the form of an entry. Whether its hash is right is for [`verify`](super::verify) to say.
#[derive(Clone, Debug)]
pub struct Entry {
    line: Bytes,
    seq: u64,
    hash: Hash,
    ts: Range<usize>,
    partition: Range<usize>,
    prev_hash: Range<usize>,
    data: Range<usize>,
}

/// What is wrong with a line. `Display` gives the rest of a sentence that begins with "line 5".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(super) Cow<'static, str>);

impl Malformed {
    fn expected(what: &'static str) -> Self {
        Self(format!("is no entry: expected {what}").into())
    }
}

impl Entry {
    /// The entry in `line`, which has no line end.
    ///
    /// # Errors
    /// The line is not exactly in the format.
    pub fn parse(line: Bytes) -> Result<Self, Malformed> {
        if line.is_empty() {
            return Err(Malformed("is blank".into()));
        }
        if std::str::from_utf8(&line).is_err() {
            return Err(Malformed("is not UTF-8".into()));
        }
        let mut scan = Scan { line: &line, at: 0 };
        let head = scan.head()?;
        scan.literal("\",\"prev_hash\":\"")?;
        let prev_hash = scan.at..scan.at + 64;
        Hash::parse(scan.take(64))
            .ok_or(Malformed::expected("64 hexadecimal digits as prev_hash"))?;
        scan.literal("\",\"data\":")?;
        let data = scan.at;
        // ,"hash":"<64 digits>"}
        let end = line.len().saturating_sub(75);
        if end <= data || !line[end..].starts_with(b",\"hash\":\"") || !line.ends_with(b"\"}") {
            return Err(Malformed::expected(
                "data, then ,\"hash\":\"...\"} at the end of the line",
            ));
        }
        let hash = Hash::parse(&line[end + 9..end + 73])
            .ok_or(Malformed::expected("64 hexadecimal digits as hash"))?;
        Ok(Self {
            seq: head.seq,
            hash,
            ts: head.ts,
            partition: head.partition,
            prev_hash,
            data: data..end,
            line,
        })
    }

    /// The place in the chain, from 0.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was written, as it stands in the file.
    #[must_use]
    pub fn ts(&self) -> &str {
        self.text(&self.ts)
    }

    /// The name of the partition, or `None` where its escapes are broken.
    #[must_use]
    pub fn partition(&self) -> Option<String> {
        unescaped(&self.line[self.partition.clone()])
    }

    /// Whether it is an entry of this partition.
    #[must_use]
    pub fn is_of(&self, name: &PartitionName) -> bool {
        let partition = &self.line[self.partition.clone()];
        // Other writers may escape otherwise.
        partition == name.json() || unescaped(partition).as_deref() == Some(name.as_str())
    }

    /// The hash of the entry before.
    #[must_use]
    pub fn prev_hash(&self) -> &str {
        self.text(&self.prev_hash)
    }

    /// The data as it stands in the file.
    #[must_use]
    pub fn data(&self) -> &str {
        self.text(&self.data)
    }

    /// The hash that the line says it has.
    #[must_use]
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// The line as it stands in the file, without its end.
    #[must_use]
    pub fn line(&self) -> &Bytes {
        &self.line
    }

    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(&self.line[range.clone()]).unwrap_or_default()
    }
}

/// The beginning of a line, up to the partition's name.
pub(super) struct Head {
    pub(super) seq: u64,
    ts: Range<usize>,
    pub(super) partition: Range<usize>,
}

/// The head of the line that `bytes` begin with, which may be cut off behind it.
pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let mut scan = Scan { line: bytes, at: 0 };
    scan.head().ok()
}

struct Scan<'a> {
    line: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn literal(&mut self, text: &'static str) -> Result<(), Malformed> {
        if !self.line[self.at..].starts_with(text.as_bytes()) {
            return Err(Malformed::expected(text));
        }
        self.at += text.len();
        Ok(())
    }

    /// The next `count` bytes, or nothing if there are fewer.
    fn take(&mut self, count: usize) -> &[u8] {
        let begin = self.at;
        self.at = (begin + count).min(self.line.len());
        self.line.get(begin..begin + count).unwrap_or_default()
    }

    fn head(&mut self) -> Result<Head, Malformed> {
        self.literal("{\"seq\":")?;
        let seq = self.seq()?;
        self.literal(",\"ts\":\"")?;
        let ts = self.at..self.at + TIMESTAMP_BYTES;
        if !Timestamp::is_form(self.take(TIMESTAMP_BYTES)) {
            return Err(Malformed::expected(
                "ts in the form 2026-01-01T00:00:00.000000+00:00",
            ));
        }
        self.literal("\",\"partition\":\"")?;
        let begin = self.at;
        loop {
            match self.line.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(_) => self.at += 1,
                None => return Err(Malformed::expected("the end of the partition's name")),
            }
        }
        Ok(Head {
            seq,
            ts,
            partition: begin..self.at,
        })
    }

    fn seq(&mut self) -> Result<u64, Malformed> {
        let digits = &self.line[self.at..];
        let count = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let digits = &digits[..count.count()];
        self.at += digits.len();
        let is_number = digits == b"0" || digits.first().is_some_and(|digit| *digit != b'0');
        std::str::from_utf8(digits)
            .ok()
            .filter(|_| is_number)
            .and_then(|digits| digits.parse().ok())
            .ok_or(Malformed::expected("a number as seq"))
    }
}

/// What `text`, which stood between quotation marks, means.
pub(super) fn unescaped(text: &[u8]) -> Option<String> {
    if memchr::memchr(b'\\', text).is_none() {
        return String::from_utf8(text.to_vec()).ok();
    }
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).ok()
}
