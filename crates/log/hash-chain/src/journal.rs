//! The journal of a partition that is appended to steadily: a file of fixed size beside the partition's own, in which a
//! batch comes to the disk for about half of what the partition's file takes.
//!
//! An `fdatasync` of a file that grew writes its lines and then its inode, since its length is needed to find them. In a
//! file whose blocks are there already it writes the lines alone; PostgreSQL uses WAL segments again for that reason. So
//! lines go into the partition's file, which is not synced, and into the journal, which is. Once the journal is full the
//! partition's file is synced, and the journal begins anew. Whatever happens to the process, all lines are in the
//! partition's file; what that loses when the machine fails, [`recover`] takes from the journal.
//!
//! | bytes | of a record |
//! |---|---|
//! | 4 | CRC-32C of all that follows |
//! | 4 | length of the lines |
//! | 8 | where they stand in the partition's file |
//! | | the lines |
//!
//! All numbers are little-endian. Records stand one behind the other from the beginning of the journal. One counts if its
//! checksum is right and its lines go on where those before it ended: places only grow, so that what an earlier round left
//! behind the last record never counts.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use group_commit::{is_out_of_room, sync_names};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

mod place;
mod records;
mod recovery;

pub(super) use place::is_named_as_one;
use place::{JOURNAL_BYTES, path_of};
pub(super) use records::HEAD_BYTES;
pub use records::lines_kept;
pub(super) use recovery::{missing_from, recover};

/// Bytes appended after which a partition gets a journal.
const WORTH_BYTES: u64 = 1024 * 1024;

/// How the lines of an open partition come to the disk.
#[derive(Debug)]
pub(super) struct Journaling {
    /// The partition's file.
    path: PathBuf,
    journals: Arc<Semaphore>,
    journal: Option<Journal>,
    /// Length of the partition's file, in bytes, from which on it gets a journal.
    worth_from: u64,
    /// Whether a write or a sync failed: what is on the disk is for the next opening to find out.
    failed: bool,
}

#[derive(Debug)]
struct Journal {
    file: File,
    /// Where the next record goes.
    end: u64,
    /// Whether lines were written for which the journal had no room.
    overflowed: bool,
    _permit: OwnedSemaphorePermit,
}

impl Journaling {
    /// Of the partition whose file is at `path`, of `length` bytes. No more than `journals` have a journal.
    pub(super) fn new(path: PathBuf, length: u64, journals: Arc<Semaphore>) -> Self {
        Self {
            path,
            journals,
            journal: None,
            worth_from: length + WORTH_BYTES,
            failed: false,
        }
    }

    pub(super) fn has_journal(&self) -> bool {
        self.journal.is_some()
    }

    /// Notes `record`: lines that were written at `place` to the partition's file, behind [`HEAD_BYTES`] for its head.
    ///
    /// # Errors
    /// The operating system refuses. Nothing is to be written any more.
    pub(super) fn write(&mut self, record: &mut [u8], place: u64) -> io::Result<()> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        if journal.end + record.len() as u64 > JOURNAL_BYTES {
            journal.overflowed = true;
        }
        if journal.overflowed {
            return Ok(());
        }
        records::fill_head(record, place);
        match journal.file.write_all_at(record, journal.end) {
            Ok(()) => {
                journal.end += record.len() as u64;
                Ok(())
            }
            // A file system that copies on writing may have no room for blocks that are there. The partition's file has it.
            Err(error) if is_out_of_room(&error) => {
                journal.overflowed = true;
                Ok(())
            }
            Err(error) => {
                self.failed = true;
                Err(error)
            }
        }
    }

    /// Brings all lines to the disk, in the journal or in `partition`, its file, of `length` bytes.
    ///
    /// # Errors
    /// The sync failed. Nothing is to be written any more.
    pub(super) fn sync(&mut self, partition: &File, length: u64) -> io::Result<()> {
        let synced = match &mut self.journal {
            Some(journal) if !journal.overflowed => journal.file.sync_data(),
            journal => partition.sync_data().inspect(|()| {
                if let Some(journal) = journal {
                    (journal.end, journal.overflowed) = (0, false);
                }
            }),
        };
        self.failed |= synced.is_err();
        synced?;
        if self.journal.is_none() && length >= self.worth_from {
            self.begin(length);
        }
        Ok(())
    }

    /// Brings all lines to the disk in `partition`, its file, and removes the journal, unless something failed before.
    ///
    /// # Errors
    /// The sync failed, or the journal cannot be removed.
    pub(super) fn settle(&mut self, partition: &File) -> io::Result<()> {
        let synced = partition.sync_data();
        // A second sync would succeed and prove nothing.
        self.failed |= synced.is_err();
        synced?;
        match self.journal.take_if(|_| !self.failed) {
            Some(_) => fs::remove_file(path_of(&self.path)),
            None => Ok(()),
        }
    }

    /// Makes a journal where one more may be. All lines are on the disk now. It only saves time: without one, appends go on.
    fn begin(&mut self, length: u64) {
        // Where all journals are taken, it is tried again later.
        self.worth_from = length + WORTH_BYTES;
        let Ok(permit) = Arc::clone(&self.journals).try_acquire_owned() else {
            return;
        };
        let path = path_of(&self.path);
        match allocated(&path) {
            Ok(file) => {
                self.journal = Some(Journal {
                    file,
                    end: 0,
                    overflowed: false,
                    _permit: permit,
                });
            }
            Err(error) => {
                tracing::warn!(%error, journal = %path.display(), "a partition goes on without a journal");
                self.worth_from = u64::MAX;
            }
        }
    }
}

/// A new file with all its blocks, to stay. One that is there is somebody else's: those of ours were removed at the opening.
fn allocated(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    fill(&file, path).inspect_err(|_| drop(fs::remove_file(path)))?;
    Ok(file)
}

fn fill(mut file: &File, path: &Path) -> io::Result<()> {
    let zeros = vec![0; 64 * 1024];
    for _ in 0..JOURNAL_BYTES / zeros.len() as u64 {
        file.write_all(&zeros)?;
    }
    file.sync_all()?;
    sync_names(path.parent().unwrap_or_else(|| Path::new(".")))
}

#[cfg(test)]
mod tests;
