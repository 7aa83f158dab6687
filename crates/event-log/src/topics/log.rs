//! The log of one partition: its segments as readers see them, and their files.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use prometheus::IntCounter;
use tokio::sync::Notify;

use super::files::{FileKey, FileKind, Files};
use super::index::{self, Entry};
use super::settings::TopicSettings;
use crate::directory::sync_names;

/// What all partitions of a topic have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// The topic's name.
    pub(crate) topic: Arc<str>,
    pub(crate) settings: TopicSettings,
    pub(crate) files: Arc<Files>,
    /// Counts records appended.
    pub(crate) produced: IntCounter,
    /// Told of each append to any partition, and of the end of the topic.
    pub(crate) grown: Notify,
    pub(crate) deleted: AtomicBool,
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

    /// Brings all that is written so far to the disk, then the indexes to that state. Others may write meanwhile.
    ///
    /// # Errors
    /// A sync failed; nothing more may be written then.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = self.failure() {
            return Err(io::Error::other(reason));
        }
        self.sync_alone().inspect_err(|error| self.fail(error))
    }

    fn sync_alone(&self) -> io::Result<()> {
        for (base, checkpoint) in self.unsynced() {
            match self.file(base, FileKind::Log) {
                // A segment that retention has removed meanwhile needs no sync.
                Err(error) if self.is_gone(base, &error) => continue,
                file => file?.sync_data()?,
            }
            self.note_synced(base, checkpoint)?;
        }
        if self.names_changed.swap(false, Ordering::AcqRel) && self.folder.is_dir() {
            sync_names(&self.folder)?;
            self.folder.parent().map_or(Ok(()), sync_names)?;
        }
        Ok(())
    }

    /// What is written now, for [`note_all_synced`](Self::note_all_synced) once the whole file system was synced.
    pub(crate) fn written(&self) -> Vec<(u64, Entry)> {
        self.names_changed.store(false, Ordering::Release);
        self.unsynced()
    }

    /// Brings the indexes to the state that is on the disk.
    ///
    /// # Errors
    /// An index cannot be written; nothing more may be written then.
    pub(crate) fn note_all_synced(&self, written: Vec<(u64, Entry)>) -> io::Result<()> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failure().is_some() {
            return Ok(());
        }
        let mut written = written.into_iter();
        written
            .try_for_each(|(base, checkpoint)| self.note_synced(base, checkpoint))
            .inspect_err(|error| self.fail(error))
    }

    /// Segments with bytes that may not be on the disk, oldest first: the base and where they end.
    fn unsynced(&self) -> Vec<(u64, Entry)> {
        let view = self.view();
        let mut unsynced = Vec::new();
        let mut end = view.end;
        let all = view.segments.iter().rev();
        // Those before a synced one were synced with it, or earlier.
        for segment in all.take_while(|segment| !segment.is_synced()) {
            let checkpoint = Entry {
                offset: end,
                position: segment.bytes,
                last_append: segment.last_append,
            };
            unsynced.push((segment.base, checkpoint));
            end = segment.base;
        }
        unsynced.reverse();
        unsynced
    }

    /// Writes the index of a segment that is on the disk up to `checkpoint`. The caller holds `syncing`.
    fn note_synced(&self, base: u64, checkpoint: Entry) -> io::Result<()> {
        let (from, mut entries) = {
            let view = self.view();
            let Some(segment) = view.find(base) else {
                return Ok(());
            };
            if segment.on_disk > 0 && segment.checkpoint.position >= checkpoint.position {
                return Ok(());
            }
            let pending = segment.pending.iter().copied();
            let before = pending.take_while(|entry| entry.position < checkpoint.position);
            // Where the old checkpoint was.
            (
                segment.on_disk.saturating_sub(1),
                before.collect::<Vec<_>>(),
            )
        };
        let noted = entries.len();
        entries.push(checkpoint);
        index::write(&*self.file_or_new(base, FileKind::Index)?, from, &entries)?;
        self.change(|view| {
            if let Some(current) = view.find_mut(base) {
                current.on_disk = from + entries.len() as u64;
                current.checkpoint = checkpoint;
                current.pending.drain(..noted);
            }
        });
        Ok(())
    }

    fn is_gone(&self, base: u64, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::NotFound && self.view().find(base).is_none()
    }

    /// Takes no more records, since nobody knows what is on the disk.
    pub(crate) fn fail(&self, error: &io::Error) {
        if !self.is_deleted() && self.refuse("sync", error) {
            tracing::error!(
                topic = %self.common.topic,
                partition = self.partition,
                folder = %self.folder.display(),
                %error,
                "a sync failed: the partition takes no more records"
            );
        }
    }

    /// Notes why nothing more may be written. Whether that is new.
    pub(crate) fn refuse(&self, what: &str, error: &io::Error) -> bool {
        self.failure.set(format!("{what}: {error}").into()).is_ok()
    }

    /// Whether something is written that may not be on the disk.
    pub(crate) fn is_dirty(&self) -> bool {
        let view = self.view();
        view.segments.back().is_some_and(|last| !last.is_synced())
    }

    /// Removes the oldest segments that `settings` do not keep, never the last one. Gives their number.
    pub(crate) fn apply_retention(&self, now: i64) -> usize {
        let settings = self.common.settings;
        if settings.retention_bytes.is_none() && settings.retention_ms.is_none() {
            return 0;
        }
        let removed = self.change(|view| {
            let mut total: u64 = view.segments.iter().map(|segment| segment.bytes).sum();
            let mut removed = Vec::new();
            while view.segments.len() > 1 {
                let oldest = &view.segments[0];
                let others = total - oldest.bytes;
                let too_large = settings.retention_bytes.is_some_and(|keep| others >= keep);
                if !too_large && !is_expired(oldest, settings.retention_ms, now) {
                    break;
                }
                total = others;
                removed.extend(view.segments.pop_front().map(|segment| segment.base));
            }
            removed
        });
        for base in &removed {
            self.remove(*base);
        }
        if let (Some(first), count) = (removed.first(), removed.len()) {
            tracing::debug!(topic = %self.common.topic, partition = self.partition, first, count, "segments removed");
        }
        removed.len()
    }

    /// Whether the segment that is written to holds only what `retention.ms` does not keep.
    pub(crate) fn is_expired(&self, now: i64) -> bool {
        let view = self.view();
        let last = view.segments.back();
        last.is_some_and(|last| {
            last.bytes > 0 && is_expired(last, self.common.settings.retention_ms, now)
        })
    }

    fn remove(&self, base: u64) {
        for kind in [FileKind::Log, FileKind::Index] {
            let path = self.path(base, kind);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(file = %path.display(), %error, "an old segment cannot be removed");
            }
        }
        // Closed afterwards: whoever comes between would open them again.
        self.common.files.forget(self.id, base);
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

fn is_expired(segment: &Segment, retention_ms: Option<u64>, now: i64) -> bool {
    let age = u64::try_from(now.saturating_sub(segment.last_append)).unwrap_or(0);
    retention_ms.is_some_and(|keep| age > keep)
}

/// The path of a segment's file.
pub(crate) fn segment_path(folder: &Path, base: u64, kind: FileKind) -> PathBuf {
    let extension = match kind {
        FileKind::Log => "log",
        FileKind::Index => "index",
    };
    folder.join(format!("{base:020}.{extension}"))
}
