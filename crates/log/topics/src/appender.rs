//! The one writer of a partition: gives records their offsets and appends them.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::files::FileKind;
use super::index::{Entry, INTERVAL};
use super::log::{CLOCK_TOLERANCE_MS, Log, Segment};
use super::record::NewRecord;
use group_commit::{Sink, is_out_of_room};

/// A buffer larger than this, in bytes, is freed after use.
const KEPT_BYTES: usize = 1024 * 1024;

thread_local! {
    /// One per thread rather than one per partition: there may be 10,000 partitions.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Records that follow each other in the partition.
#[derive(Debug)]
pub(crate) enum Records {
    One(NewRecord),
    Many(Vec<NewRecord>),
}

impl Records {
    fn as_slice(&self) -> &[NewRecord] {
        match self {
            Self::One(record) => std::slice::from_ref(record),
            Self::Many(records) => records,
        }
    }

    /// Bytes that the records take on disk.
    pub(crate) fn bytes(&self) -> usize {
        self.as_slice().iter().map(NewRecord::disk_bytes).sum()
    }
}

/// Where records went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Appended {
    /// The offset of the first record; the others follow.
    pub(crate) first: u64,
    /// Milliseconds since 1970: the timestamp of records that had none.
    pub(crate) time: i64,
}

/// Writes to the last segment of a log.
#[derive(Debug)]
pub(crate) struct Appender {
    log: Arc<Log>,
    /// The segment; `None` before the first append.
    base: Option<u64>,
    /// Where the next record goes.
    position: u64,
    /// The position, in bytes, up to which the file is written.
    written: u64,
    next: u64,
    last_append: i64,
    /// Of the last index entry.
    indexed: u64,
    /// Not yet in the log's view.
    entries: Vec<Entry>,
    /// Where it was when all was written.
    mark: Mark,
    /// Items of the current batch that are encoded, and how many of them are written.
    encoded: usize,
    flushed: usize,
}

/// The state that an appender returns to when a write has failed.
#[derive(Clone, Copy, Debug)]
struct Mark {
    next: u64,
    last_append: i64,
    indexed: u64,
}

impl Appender {
    /// Goes on where `log` ends.
    pub(crate) fn new(log: Arc<Log>) -> Self {
        let view = log.view();
        let last = view.segments.back().cloned();
        let next = view.end;
        drop(view);
        let segment = last.clone().unwrap_or_default();
        let indexed = segment
            .pending
            .last()
            .unwrap_or(&segment.checkpoint)
            .position;
        Self {
            base: last.map(|segment| segment.base),
            position: segment.bytes,
            written: segment.bytes,
            next,
            last_append: segment.last_append,
            indexed,
            entries: Vec::new(),
            mark: Mark {
                next,
                last_append: segment.last_append,
                indexed,
            },
            encoded: 0,
            flushed: 0,
            log,
        }
    }

    fn append(
        &mut self,
        records: &[NewRecord],
        now: i64,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Appended> {
        let first = self.next;
        for record in records {
            let bytes = record.disk_bytes() as u64;
            let most = self.log.common.settings.segment_bytes;
            if self.base.is_none() || (self.position > 0 && self.position + bytes > most) {
                self.flush(buffer)?;
                self.roll()?;
                self.log.apply_retention(now);
            }
            if self.position - self.indexed >= INTERVAL {
                self.entries.push(Entry {
                    offset: self.next,
                    position: self.position,
                    last_append: self.last_append,
                });
                self.indexed = self.position;
            }
            record.encode(self.next, now, buffer);
            self.position += bytes;
            self.next += 1;
            self.last_append = now;
        }
        Ok(Appended { first, time: now })
    }

    /// Writes what is encoded, and lets readers see it.
    fn flush(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        use std::os::unix::fs::FileExt;

        let (Some(base), false) = (self.base, buffer.is_empty()) else {
            return Ok(());
        };
        let file = self.log.file(base, FileKind::Log)?;
        file.write_all_at(buffer, self.written)?;
        buffer.clear();
        self.written = self.position;
        self.flushed = self.encoded;
        self.mark = Mark {
            next: self.next,
            last_append: self.last_append,
            indexed: self.indexed,
        };
        let records = self.next - self.log.end();
        self.log.common.counters.note_produced(records);
        self.log.change(|view| {
            if let Some(last) = view.segments.back_mut() {
                last.bytes = self.position;
                last.last_append = self.last_append;
                last.pending.append(&mut self.entries);
            }
            view.end = self.next;
        });
        Ok(())
    }

    /// Begins a new segment at the next offset. The one before is synced by the next sync.
    fn roll(&mut self) -> io::Result<()> {
        self.log.create(self.next)?;
        self.base = Some(self.next);
        (self.position, self.written, self.indexed) = (0, 0, 0);
        self.mark.indexed = 0;
        let segment = Segment {
            base: self.next,
            // So that retention counts from now, if no record comes.
            last_append: self.last_append,
            ..Segment::default()
        };
        self.log.change(|view| view.segments.push_back(segment));
        Ok(())
    }

    /// Begins a new segment if all records of the present one are older than `retention.ms` keeps, so that they can go.
    ///
    /// # Errors
    /// The new segment cannot be made or synced.
    pub(crate) fn roll_if_expired(&mut self, now: i64) -> io::Result<()> {
        if self.log.failure().is_some() || !self.log.is_expired(now) {
            return Ok(());
        }
        self.roll()?;
        // Its name says where the offsets go on: it must be on the disk before the records are gone.
        self.log.sync()
    }
}

impl Sink for Appender {
    type Item = Records;
    type Answer = Appended;

    fn write(&mut self, batch: &mut Vec<Records>, answers: &mut Vec<Appended>) -> io::Result<()> {
        if let Some(reason) = self.log.failure() {
            return Err(io::Error::other(reason.to_owned()));
        }
        // Records carry the clock, which may go back; their order is that of their offsets.
        let now = now_ms();
        if now < self.last_append - CLOCK_TOLERANCE_MS {
            self.log
                .common
                .note_clock(self.log.partition, self.last_append, now);
        }
        (self.encoded, self.flushed) = (0, 0);
        let written = BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            for records in batch.drain(..) {
                answers.push(self.append(records.as_slice(), now, buffer)?);
                self.encoded += 1;
            }
            let flushed = self.flush(buffer);
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
            flushed
        });
        written.inspect_err(|error| {
            answers.truncate(self.flushed);
            if !is_out_of_room(error) {
                // Offsets were given that are not in the log: not even retention may begin a segment now.
                self.log.refuse("write", error);
            }
        })
    }

    fn take_back(&mut self) -> io::Result<()> {
        self.position = self.written;
        (self.next, self.last_append) = (self.mark.next, self.mark.last_append);
        self.indexed = self.mark.indexed;
        self.entries.clear();
        match self.base {
            Some(base) => self.log.file(base, FileKind::Log)?.set_len(self.written),
            None => Ok(()),
        }
    }

    /// No new segment, which makes a file, and may let retention remove others.
    fn is_quick(&self, records: &Records) -> bool {
        let most = self.log.common.settings.segment_bytes;
        self.base.is_some() && self.position + records.bytes() as u64 <= most
    }

    fn is_closed(&self) -> bool {
        self.log.is_deleted()
    }

    fn sync(&mut self) -> io::Result<()> {
        self.log.sync()
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "appender_tests.rs"]
mod tests;
