//! Reads records of one partition, on the calling thread.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::files::FileKind;
use super::index;
use super::log::{Log, Segment};
use super::record::{Found, StoredRecord, decode};
use super::scan::{Scan, Step, read_at};

/// Bytes read at once, at least and at most; a record larger than that is read whole.
const CHUNK_BYTES: std::ops::RangeInclusive<usize> = 16 * 1024..=1024 * 1024;

/// A place in a partition from which a consumer reads on. Remembers where that is on the disk.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    /// The next offset to read.
    pub(crate) offset: u64,
    /// The segment's base and the position in its file.
    place: Option<(u64, u64)>,
}

/// How much one read gives: as many records as fit, at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of keys and values.
    pub(crate) content: usize,
    /// Bytes on disk, about what a message with the records takes.
    pub(crate) disk: usize,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<StoredRecord>,
    /// Bytes of keys and values.
    pub(crate) content: usize,
    /// Bytes on disk.
    pub(crate) disk: usize,
    /// There is more, but it does not fit.
    pub(crate) full: bool,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The offset is beyond the end.
    #[error("offset {offset} is beyond the end, {end}")]
    Beyond { offset: u64, end: u64 },
    /// Retention has removed it.
    #[error("offset {offset} is no longer there; the first one is {beginning}")]
    Removed { offset: u64, beginning: u64 },
    /// What should be the record is not.
    #[error("{}: no record with offset {offset}", file.display())]
    Damaged { file: PathBuf, offset: u64 },
    /// The topic is deleted.
    #[error("the topic is deleted")]
    Deleted,
    /// The operating system failed.
    #[error("{}: {source}", file.display())]
    Io { file: PathBuf, source: io::Error },
}

impl Cursor {
    /// Reads from `offset` on.
    pub(crate) fn new(offset: u64) -> Self {
        Self {
            offset,
            place: None,
        }
    }
}

impl Batch {
    fn has_room(&self, record: &StoredRecord, bytes: usize, limits: Limits) -> bool {
        let content = self.content + record.key.len() + record.value.len();
        content <= limits.content && self.disk + bytes <= limits.disk
    }
}

/// Adds to `batch` what there is from `cursor` on, and moves the cursor behind it. Nothing at the end of the log.
///
/// # Errors
/// Only if nothing is in the batch; else the next call says it.
pub(crate) fn read(
    log: &Log,
    cursor: &mut Cursor,
    limits: Limits,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    batch.full = false;
    while !batch.full {
        if log.is_deleted() {
            return Err(ReadError::Deleted);
        }
        match read_segment(log, cursor, limits, batch) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if batch.records.is_empty() => return Err(error),
            Err(_) => {
                batch.full = true;
            }
        }
    }
    Ok(())
}

/// Reads on in one segment. Whether to go on, since it was read to its end and there is more.
fn read_segment(
    log: &Log,
    cursor: &mut Cursor,
    limits: Limits,
    batch: &mut Batch,
) -> Result<bool, ReadError> {
    let Some(at) = locate(log, cursor)? else {
        return Ok(false);
    };
    let fail = |source| failure(log, at.base, cursor.offset, source);
    let file = log.file(at.base, FileKind::Log).map_err(fail)?;
    let mut position = match at.start {
        Start::Exact(position) => position,
        Start::Before(offset, position) => {
            let mut scan = Scan::new(&file, position, at.bytes);
            seek(&mut scan, offset, cursor.offset)
                .map_err(fail)?
                .ok_or_else(|| damaged(log, at.base, cursor.offset))?
        }
    };
    let mut wanted = 0;
    while position < at.bytes {
        let left = usize::try_from(at.bytes - position).unwrap_or(usize::MAX);
        let room = limits.content.saturating_sub(batch.content) + 4096;
        let size = room.clamp(*CHUNK_BYTES.start(), *CHUNK_BYTES.end());
        let mut chunk = BytesMut::zeroed(size.max(wanted).min(left));
        let read = read_at(&file, &mut chunk, position);
        let read = read.map_err(|source| failure(log, at.base, cursor.offset, source))?;
        chunk.truncate(read);
        let mut chunk = chunk.freeze();
        wanted = take_records(&mut chunk, &mut position, cursor, limits, batch);
        cursor.place = Some((at.base, position));
        if batch.full {
            return Ok(false);
        }
        // 0: what is there is no record.
        let left = at.bytes - position;
        if left > 0 && (wanted == 0 || wanted as u64 > left) {
            return Err(damaged(log, at.base, cursor.offset));
        }
    }
    Ok(cursor.offset < log.end())
}

/// Moves whole records from `chunk` to `batch`, and `position` and `cursor` on. Gives the bytes that the next record takes;
/// 0 where what is there is none.
fn take_records(
    chunk: &mut Bytes,
    position: &mut u64,
    cursor: &mut Cursor,
    limits: Limits,
    batch: &mut Batch,
) -> usize {
    loop {
        match decode(chunk) {
            Found::Record(record, bytes) if record.offset == cursor.offset => {
                if !batch.records.is_empty() && !batch.has_room(&record, bytes, limits) {
                    batch.full = true;
                    return bytes;
                }
                batch.content += record.key.len() + record.value.len();
                batch.disk += bytes;
                batch.records.push(record);
                cursor.offset += 1;
                *position += bytes as u64;
                *chunk = chunk.slice(bytes..);
            }
            Found::Incomplete(bytes) => return bytes,
            Found::Record(..) | Found::Damaged => return 0,
        }
    }
}

struct Place {
    base: u64,
    bytes: u64,
    start: Start,
}

enum Start {
    Exact(u64),
    /// The record of this offset is at this position, the wanted one further on.
    Before(u64, u64),
}

/// Where the cursor's record is; `None` at the end.
fn locate(log: &Log, cursor: &Cursor) -> Result<Option<Place>, ReadError> {
    let offset = cursor.offset;
    let (segment, place) = {
        let view = log.view();
        if offset >= view.end {
            let end = view.end;
            return if offset == end {
                Ok(None)
            } else {
                Err(ReadError::Beyond { offset, end })
            };
        }
        let after = view
            .segments
            .partition_point(|segment| segment.base <= offset);
        let Some(segment) = after.checked_sub(1).and_then(|at| view.segments.get(at)) else {
            let beginning = view.segments.front().map_or(view.end, |first| first.base);
            return Err(ReadError::Removed { offset, beginning });
        };
        let exact = match cursor.place {
            Some((base, position)) if base == segment.base => Some(position),
            _ if offset == segment.base => Some(0),
            _ => None,
        };
        if let Some(position) = exact {
            let place = Place {
                base: segment.base,
                bytes: segment.bytes,
                start: Start::Exact(position),
            };
            return if position < segment.bytes {
                Ok(Some(place))
            } else {
                // The segment ends before the next begins.
                Err(damaged(log, segment.base, offset))
            };
        }
        let place = Place {
            base: segment.base,
            bytes: segment.bytes,
            start: Start::Before(segment.base, 0),
        };
        (segment.clone(), place)
    };
    let start = nearest(log, &segment, offset)?;
    Ok(Some(Place { start, ..place }))
}

/// The nearest place before `offset` that is known.
fn nearest(log: &Log, segment: &Segment, offset: u64) -> Result<Start, ReadError> {
    let after = segment
        .pending
        .partition_point(|entry| entry.offset <= offset);
    let pending = after.checked_sub(1).and_then(|at| segment.pending.get(at));
    let checkpoint =
        Some(&segment.checkpoint).filter(|entry| segment.on_disk > 0 && entry.offset <= offset);
    let known = pending.or(checkpoint).copied();
    let entry = match known {
        Some(entry) => Some(entry),
        None if segment.on_disk <= 1 => None,
        None => {
            let fail = |source| failure(log, segment.base, offset, source);
            let file = log.file(segment.base, FileKind::Index).map_err(fail)?;
            index::find(&file, segment.on_disk.saturating_sub(1), offset).map_err(fail)?
        }
    };
    Ok(entry.map_or(Start::Before(segment.base, 0), |entry| {
        Start::Before(entry.offset, entry.position)
    }))
}

/// The position of `wanted`, from the record `offset` at the start of `scan` on; `None` where it should be is something else.
fn seek(scan: &mut Scan<'_>, mut offset: u64, wanted: u64) -> io::Result<Option<u64>> {
    while offset < wanted {
        match scan.step(offset)? {
            Step::Record { .. } => offset += 1,
            Step::Hole(Some((found, position))) if found.offset <= wanted => {
                scan.skip_to(position);
                offset = found.offset;
            }
            Step::Hole(_) | Step::End => return Ok(None),
        }
    }
    Ok(Some(scan.position()))
}

fn damaged(log: &Log, base: u64, offset: u64) -> ReadError {
    ReadError::Damaged {
        file: log.path(base, FileKind::Log),
        offset,
    }
}

/// A file that is not there any more was removed by retention or with its topic.
fn failure(log: &Log, base: u64, offset: u64, source: io::Error) -> ReadError {
    if log.is_deleted() {
        return ReadError::Deleted;
    }
    if source.kind() == io::ErrorKind::NotFound && log.view().find(base).is_none() {
        let beginning = log.beginning();
        return ReadError::Removed { offset, beginning };
    }
    ReadError::Io {
        file: log.path(base, FileKind::Log),
        source,
    }
}

/// Reads on a thread of the runtime's blocking pool.
///
/// # Errors
/// Those of [`read`].
pub(crate) async fn read_async(
    log: Arc<Log>,
    mut cursor: Cursor,
    limits: Limits,
    mut batch: Batch,
) -> Result<(Cursor, Batch), ReadError> {
    let folder = log.folder.clone();
    let work = move || {
        read(&log, &mut cursor, limits, &mut batch)?;
        Ok((cursor, batch))
    };
    let fail = |error| ReadError::Io {
        file: folder,
        source: io::Error::other(error),
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(fail)
        .flatten()
}
