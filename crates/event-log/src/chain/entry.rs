//! One entry, as a line of the file: `{"seq":0,"ts":"...","partition":"...","prev_hash":"...","data":...,"hash":"..."}`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::name::PartitionName;

/// Longest line: data of 10 MiB whose every byte takes six as an escape, and what stands around it.
pub const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// A SHA-256 in lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 64]);

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

/// A moment in microseconds since 1970, UTC. Displays as `2026-01-01T00:00:00.000000+00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Bytes of a timestamp as text.
const TIMESTAMP_BYTES: usize = 32;

impl Timestamp {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Whether `text` has the form of a timestamp: digits where they belong, no look at the calendar.
    fn is_form(text: &[u8]) -> bool {
        const FORM: &[u8; TIMESTAMP_BYTES] = b"0000-00-00T00:00:00.000000+00:00";
        let fixed = text.len() - text.len().min(6);
        text.len() == TIMESTAMP_BYTES
            && text[fixed..] == FORM[fixed..]
            && text
                .iter()
                .zip(FORM)
                .all(|(byte, form)| byte == form || (*form == b'0' && byte.is_ascii_digit()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i128::from(self.0) * 1000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.microsecond()
        )
    }
}

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

/// What in a line is not as it must be. Displays as the rest of a sentence that begins with "line 5".
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
    /// It is not exactly in the format.
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
