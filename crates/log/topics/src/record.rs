//! A record and its form on disk. Pure.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | CRC-32C of all that follows |
//! | 4 | length of what follows these two |
//! | 8 | offset |
//! | 8 | timestamp, milliseconds since 1970 |
//! | 8 | time of the append, milliseconds since 1970 |
//! | 4, 4, 4 | length of the key, length of the value, number of headers |
//! | | key, value; for each header: length of its name (4), name, length of its value (4), value |
//!
//! All numbers are little-endian.

use bytes::{Buf, Bytes};

/// Most bytes of key, value and headers together.
pub const MAX_RECORD_BYTES: usize = 10 * 1024 * 1024;
/// Bytes of a record on disk before its key.
pub(crate) const HEAD_BYTES: usize = 44;
/// Bytes before what the length counts.
const PREFIX_BYTES: usize = 8;
/// A length beyond this is damage: what comes in is bounded by the size of a message, however many headers it has.
const MAX_DISK_BYTES: usize = 128 * 1024 * 1024;

/// A header of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Its name; several headers may have the same.
    pub key: String,
    /// Its value.
    pub value: Bytes,
}

/// What a producer hands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Decides the partition where none is named; may be empty.
    pub key: Bytes,
    /// The content; may be empty.
    pub value: Bytes,
    /// In the order given.
    pub headers: Vec<Header>,
    /// Milliseconds since 1970; 0 takes the time of the append.
    pub timestamp: i64,
}

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// The partition.
    pub partition: u32,
    /// Its place there; `None` where nobody said: Kafka with acks 0, or a record that a retry found stored already.
    pub offset: Option<u64>,
    /// Milliseconds since 1970: the record's own, or the time of the append.
    pub timestamp: i64,
}

/// What a consumer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the partition, from 0.
    pub offset: u64,
    /// Milliseconds since 1970, as the producer said.
    pub timestamp: i64,
    /// Milliseconds since 1970, the server's clock.
    pub append_time: i64,
    /// May be empty.
    pub key: Bytes,
    /// May be empty.
    pub value: Bytes,
    /// In the order given.
    pub headers: Vec<Header>,
}

impl NewRecord {
    /// Bytes of key, value and headers, which [`MAX_RECORD_BYTES`] bounds.
    pub fn content_bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers
            .map(|header| header.key.len() + header.value.len())
            .sum();
        self.key.len() + self.value.len() + headers
    }

    /// Bytes on disk.
    pub(crate) fn disk_bytes(&self) -> usize {
        HEAD_BYTES + self.content_bytes() + 8 * self.headers.len()
    }

    /// Appends the record as it stands on disk. Each part must be under 4 GiB, which [`MAX_RECORD_BYTES`] ensures.
    pub(crate) fn encode(&self, offset: u64, append_time: i64, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        let timestamp = if self.timestamp == 0 {
            append_time
        } else {
            self.timestamp
        };
        let length = self.disk_bytes() - PREFIX_BYTES;
        let mut head = [0; HEAD_BYTES];
        head[4..8].copy_from_slice(&(length as u32).to_le_bytes());
        head[8..16].copy_from_slice(&offset.to_le_bytes());
        head[16..24].copy_from_slice(&timestamp.to_le_bytes());
        head[24..32].copy_from_slice(&append_time.to_le_bytes());
        head[32..36].copy_from_slice(&(self.key.len() as u32).to_le_bytes());
        head[36..40].copy_from_slice(&(self.value.len() as u32).to_le_bytes());
        head[40..44].copy_from_slice(&(self.headers.len() as u32).to_le_bytes());
        buffer.extend_from_slice(&head);
        buffer.extend_from_slice(&self.key);
        buffer.extend_from_slice(&self.value);
        for header in &self.headers {
            for part in [header.key.as_bytes(), &header.value] {
                buffer.extend_from_slice(&(part.len() as u32).to_le_bytes());
                buffer.extend_from_slice(part);
            }
        }
        let crc = crc32c::crc32c(&buffer[start + 4..]);
        buffer[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// What the bytes at a place are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    /// A record, and the bytes that it takes.
    Record(T, usize),
    /// The beginning of what may be a record of this many bytes.
    Incomplete(usize),
    /// No record.
    Damaged,
}

/// The place of a record, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) offset: u64,
    pub(crate) append_time: i64,
}

/// Checks the record at the start of `bytes`, its checksum too, without taking it apart.
pub(crate) fn frame(bytes: &[u8]) -> Found<Frame> {
    if bytes.len() < PREFIX_BYTES {
        return Found::Incomplete(HEAD_BYTES);
    }
    let size = PREFIX_BYTES + number(bytes, 4) as usize;
    if !(HEAD_BYTES..=MAX_DISK_BYTES).contains(&size) {
        return Found::Damaged;
    }
    let Some(record) = bytes.get(..size) else {
        return Found::Incomplete(size);
    };
    if crc32c::crc32c(&record[4..]) != number(record, 0) {
        return Found::Damaged;
    }
    let frame = Frame {
        offset: long(record, 8),
        append_time: long(record, 24).cast_signed(),
    };
    Found::Record(frame, size)
}

/// Takes the record at the start of `bytes` apart. Key, value and headers share the memory of `bytes`.
pub(crate) fn decode(bytes: &Bytes) -> Found<StoredRecord> {
    let (frame, size) = match frame(bytes) {
        Found::Record(frame, size) => (frame, size),
        Found::Incomplete(size) => return Found::Incomplete(size),
        Found::Damaged => return Found::Damaged,
    };
    let timestamp = long(bytes, 16).cast_signed();
    let (key, value) = (number(bytes, 32) as usize, number(bytes, 36) as usize);
    let headers = number(bytes, 40) as usize;
    // A record whose checksum is right is one that was written; what else is checked guards against another format.
    match content(bytes.slice(HEAD_BYTES..size), key, value, headers) {
        Some((key, value, headers)) => {
            let record = StoredRecord {
                offset: frame.offset,
                timestamp,
                append_time: frame.append_time,
                key,
                value,
                headers,
            };
            Found::Record(record, size)
        }
        None => Found::Damaged,
    }
}

/// The record at the start of `bytes`, as it stands on disk, and the bytes that it takes. `None` where there is no whole
/// record whose checksum is right. Any bytes may be given.
#[must_use]
pub fn parse(bytes: &Bytes) -> Option<(StoredRecord, usize)> {
    match decode(bytes) {
        Found::Record(record, size) => Some((record, size)),
        Found::Incomplete(_) | Found::Damaged => None,
    }
}

fn content(
    mut rest: Bytes,
    key: usize,
    value: usize,
    headers: usize,
) -> Option<(Bytes, Bytes, Vec<Header>)> {
    let key = take(&mut rest, key)?;
    let value = take(&mut rest, value)?;
    // Never more than the bytes can hold, whatever the number says.
    let mut list = Vec::with_capacity(headers.min(rest.len() / 8));
    for _ in 0..headers {
        let key = sized(&mut rest)?;
        list.push(Header {
            key: String::from_utf8(key.to_vec()).ok()?,
            value: sized(&mut rest)?,
        });
    }
    rest.is_empty().then_some((key, value, list))
}

fn sized(rest: &mut Bytes) -> Option<Bytes> {
    let length = rest.try_get_u32_le().ok()?;
    take(rest, length as usize)
}

fn take(rest: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= rest.len()).then(|| rest.split_to(length))
}

/// The caller has checked that the bytes are there.
fn number(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
