//! The log of one partition: its segments as readers see them, and their files.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use group_commit::Faults;
use tokio::sync::Notify;

use super::counters::Counters;
use super::files::{FileKey, FileKind, Files};
use super::index::Entry;
use super::settings::TopicSettings;

mod retention;
mod sync;

/// What all partitions of a topic have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// The topic's name.
    pub(crate) topic: Arc<str>,
    pub(crate) settings: TopicSettings,
    pub(crate) files: Arc<Files>,
    /// Counts records appended.
    pub(crate) counters: Counters,
    /// Told of each append to any partition, and of the end of the topic: for those who wait for several.
    pub(crate) grown: Notify,
    pub(crate) deleted: AtomicBool,
    /// What keeps the store from being written to.
    pub(crate) faults: Faults,
    /// Whether it was said that records carry times of the future.
    pub(crate) clock_noted: AtomicBool,
}

/// A clock that goes back by less than this is not worth a word.
pub(crate) const CLOCK_TOLERANCE_MS: i64 = 60_000;

impl Common {
    /// Says once that records of `partition` carry `time`, which is later than `now`.
    pub(crate) fn note_clock(&self, partition: u32, time: i64, now: i64) {
        if !self.clock_noted.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                topic = %self.topic,
                partition,
                ahead_ms = time - now,
                "records carry times of the future: the clock was ahead; retention counts their age from records after them, \
                 or from now"
            );
        }
    }
}

/// One partition's segments.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) common: Arc<Common>,
    pub(crate) partition: u32,
    /// This log's number in the process, for its open files.
    pub(crate) id: u64,
    /// Where the files are; made with the first of them.
    pub(crate) folder: PathBuf,
    view: RwLock<View>,
    /// The next offset, also in `view`.
    end: AtomicU64,
    /// Told of each append, and of the end of the topic.
    pub(crate) grown: Notify,
    /// Held while files are synced and their indexes written.
    syncing: Mutex<()>,
    /// Files were made since the directory was synced.
    names_changed: AtomicBool,
    /// Why nothing more may be written.
    failure: OnceLock<Box<str>>,
}

/// The segments, oldest first; the last one is written to. Empty until the first append.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) segments: VecDeque<Segment>,
    /// The next offset.
    pub(crate) end: u64,
}

/// A segment as far as readers may read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    /// The offset of its first record.
    pub(crate) base: u64,
    /// Bytes of whole records.
    pub(crate) bytes: u64,
    /// Time of its last append, milliseconds since 1970; 0 where there is none.
    pub(crate) last_append: i64,
    /// Entries in the index file, the checkpoint among them.
    pub(crate) on_disk: u64,
    /// The checkpoint: what is on the disk for sure.
    pub(crate) checkpoint: Entry,
    /// Entries for the index file, once the log is synced so far.
    pub(crate) pending: Vec<Entry>,
}

impl Segment {
    pub(crate) fn is_synced(&self) -> bool {
        self.on_disk > 0 && self.checkpoint.position == self.bytes
    }
}

impl Log {
    pub(crate) fn new(common: Arc<Common>, partition: u32, folder: PathBuf, view: View) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Self {
            common,
            partition,
            id: IDS.fetch_add(1, Ordering::Relaxed),
            folder,
            end: AtomicU64::new(view.end),
            grown: Notify::new(),
            view: RwLock::new(view),
            syncing: Mutex::default(),
            names_changed: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }

    /// The next offset.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// The first offset that is still there.
    pub(crate) fn beginning(&self) -> u64 {
        let view = self.view();
        view.segments.front().map_or(view.end, |first| first.base)
    }

    /// Bytes of all segments' records.
    pub(crate) fn bytes(&self) -> u64 {
        self.view()
            .segments
            .iter()
            .map(|segment| segment.bytes)
            .sum()
    }

    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what readers see, and tells them.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut View) -> R) -> R {
        let mut view = self.view_mut();
        let result = change(&mut view);
        let grown = self.end.swap(view.end, Ordering::AcqRel) != view.end;
        drop(view);
        if grown {
            self.grown.notify_waiters();
            self.common.grown.notify_waiters();
        }
        result
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.common.deleted.load(Ordering::Acquire)
    }

    /// Why nothing more may be written, if that is so.
    pub(crate) fn failure(&self) -> Option<&str> {
        if self.is_deleted() {
            return Some("the topic is deleted");
        }
        self.failure.get().map(|reason| &**reason)
    }

    /// The file of a segment.
    pub(crate) fn file(&self, base: u64, kind: FileKind) -> io::Result<Arc<File>> {
        let path = || self.path(base, kind).into();
        self.common.files.get(self.key(base, kind), path)
    }

    /// Makes the log file of a new segment. Its index file comes with its first sync.
    pub(crate) fn create(&self, base: u64) -> io::Result<()> {
        self.names_changed.store(true, Ordering::Release);
        if base == 0 && !self.folder.is_dir() {
            fs::create_dir_all(&self.folder)?;
        }
        self.file_or_new(base, FileKind::Log).map(drop)
    }

    fn file_or_new(&self, base: u64, kind: FileKind) -> io::Result<Arc<File>> {
        let path = || self.path(base, kind).into();
        let files = &self.common.files;
        files.get_or_create(self.key(base, kind), path)
    }

    fn key(&self, base: u64, kind: FileKind) -> FileKey {
        FileKey {
            partition: self.id,
            base,
            kind,
        }
    }

    /// The path of a segment's file: twenty digits and `.log` or `.index`.
    pub(crate) fn path(&self, base: u64, kind: FileKind) -> PathBuf {
        segment_path(&self.folder, base, kind)
    }

    /// Whether something is written that may not be on the disk.
    pub(crate) fn is_dirty(&self) -> bool {
        let view = self.view();
        view.segments.back().is_some_and(|last| !last.is_synced())
    }

    /// Closes all files.
    pub(crate) fn close(&self) {
        let bases: Vec<u64> = self
            .view()
            .segments
            .iter()
            .map(|segment| segment.base)
            .collect();
        for base in bases {
            self.common.files.forget(self.id, base);
        }
    }
}

impl View {
    /// The segment that begins with `base`.
    pub(crate) fn find(&self, base: u64) -> Option<&Segment> {
        let at = self
            .segments
            .binary_search_by_key(&base, |segment| segment.base);
        self.segments.get(at.ok()?)
    }

    fn find_mut(&mut self, base: u64) -> Option<&mut Segment> {
        let at = self
            .segments
            .binary_search_by_key(&base, |segment| segment.base);
        self.segments.get_mut(at.ok()?)
    }
}

/// The path of a segment's file.
pub(crate) fn segment_path(folder: &Path, base: u64, kind: FileKind) -> PathBuf {
    let extension = match kind {
        FileKind::Log => "log",
        FileKind::Index => "index",
    };
    folder.join(format!("{base:020}.{extension}"))
}
