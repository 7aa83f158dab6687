//! The open files of all partitions: a bounded number, however many segments there are.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of parts of the table, which is split so that partitions seldom wait for each other.
const SHARDS: usize = 16;

/// Which file: of the partition, the segment's first offset, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    /// A partition's number in this process; never used twice.
    pub(crate) partition: u64,
    pub(crate) base: u64,
    pub(crate) kind: FileKind,
}

/// What a file of a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FileKind {
    Log,
    Index,
}

/// Open files by key. The one used longest ago is closed when there are too many.
#[derive(Debug)]
pub(crate) struct Files {
    shards: [Mutex<Shard>; SHARDS],
    most: usize,
}

#[derive(Debug, Default)]
struct Shard {
    open: HashMap<FileKey, Open, foldhash::fast::FixedState>,
    clock: u64,
}

#[derive(Debug)]
struct Open {
    file: Arc<File>,
    used: u64,
}

impl Files {
    /// At most about `most` files stay open, beside those in use.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            shards: Default::default(),
            most: (most / SHARDS).max(1),
        }
    }

    /// The file of `key`, which is at `path`.
    ///
    /// # Errors
    /// The file does not exist, or cannot be opened.
    pub(crate) fn get(
        &self,
        key: FileKey,
        path: impl FnOnce() -> Box<Path>,
    ) -> io::Result<Arc<File>> {
        self.get_with(key, path, false)
    }

    /// The same, made empty where it is not there.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub(crate) fn get_or_create(
        &self,
        key: FileKey,
        path: impl FnOnce() -> Box<Path>,
    ) -> io::Result<Arc<File>> {
        self.get_with(key, path, true)
    }

    fn get_with(
        &self,
        key: FileKey,
        path: impl FnOnce() -> Box<Path>,
        create: bool,
    ) -> io::Result<Arc<File>> {
        if let Some(file) = self.shard(key).get(key) {
            return Ok(file);
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path())?;
        let file = Arc::new(file);
        // Closed after the lock is gone.
        let _old = self.shard(key).insert(key, Arc::clone(&file), self.most);
        Ok(file)
    }

    /// Closes the files of one segment, so that removing them frees the disk.
    pub(crate) fn forget(&self, partition: u64, base: u64) {
        for kind in [FileKind::Log, FileKind::Index] {
            let key = FileKey {
                partition,
                base,
                kind,
            };
            let _closed = self.shard(key).open.remove(&key);
        }
    }

    /// How many are open.
    #[cfg(test)]
    pub(crate) fn open(&self) -> usize {
        let shards = self.shards.iter();
        shards
            .map(|shard| {
                shard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .open
                    .len()
            })
            .sum()
    }

    fn shard(&self, key: FileKey) -> MutexGuard<'_, Shard> {
        let mixed = key.partition.wrapping_mul(31).wrapping_add(key.base);
        let at = usize::try_from(mixed % SHARDS as u64).unwrap_or(0);
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn get(&mut self, key: FileKey) -> Option<Arc<File>> {
        self.clock += 1;
        let open = self.open.get_mut(&key)?;
        open.used = self.clock;
        Some(Arc::clone(&open.file))
    }

    /// Returns the file that was removed to make room.
    fn insert(&mut self, key: FileKey, file: Arc<File>, most: usize) -> Option<Open> {
        self.clock += 1;
        let mut old = None;
        if self.open.len() >= most && !self.open.contains_key(&key) {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.used);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                old = self.open.remove(&oldest);
            }
        }
        let used = self.clock;
        self.open.insert(key, Open { file, used }).or(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_open_files_is_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(64);
        for base in 0..1000 {
            let key = FileKey {
                partition: 1,
                base,
                kind: FileKind::Log,
            };
            let path = folder.path().join(base.to_string());
            let first = files
                .get_or_create(key, || path.clone().into())
                .expect("a file");
            let second = files
                .get(key, || unreachable!("it is open"))
                .expect("a file");
            assert!(Arc::ptr_eq(&first, &second));
        }
        assert!(files.open() <= 64, "{}", files.open());
        files.forget(1, 999);
        let key = FileKey {
            partition: 1,
            base: 2000,
            kind: FileKind::Log,
        };
        let missing = files.get(key, || folder.path().join("none").into());
        assert_eq!(
            missing.expect_err("no file").kind(),
            io::ErrorKind::NotFound
        );
    }
}
