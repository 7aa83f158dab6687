//! How a log comes to the disk.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Log;
use crate::files::FileKind;
use crate::index::{self, Entry};
use group_commit::{is_out_of_files, is_out_of_room, sync_names};

impl Log {
    /// Brings all that is written so far to the disk, then the indexes to that state. Others may write meanwhile.
    ///
    /// # Errors
    /// A sync failed; nothing more may be written then, unless it could not even be tried for want of a descriptor.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = self.failure() {
            return Err(io::Error::other(reason));
        }
        self.sync_alone().inspect_err(|error| {
            if !is_out_of_files(error) {
                self.fail(error);
            }
        })
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
            let both = sync_names(&self.folder)
                .and_then(|()| self.folder.parent().map_or(Ok(()), sync_names));
            both.inspect_err(|_| self.names_changed.store(true, Ordering::Release))?;
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
        let index = self.file_or_new(base, FileKind::Index);
        match index.and_then(|index| index::write(&index, from, &entries)) {
            // The records are on the disk: without room for the index they are read again after a crash, no more.
            Err(error) if is_out_of_room(&error) => {
                self.common.faults.note_full(&error);
                return Ok(());
            }
            written => written?,
        }
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
            self.common
                .faults
                .note_poisoned(&format!("sync: {error}").into());
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
}
