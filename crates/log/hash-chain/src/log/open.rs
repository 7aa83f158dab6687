//! The partitions that are open to be written to.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::ChainError;
use crate::name::PartitionName;
use crate::partition::{Partition, WriteOptions};
use group_commit::Directory;

/// Partitions that are open at a time, one file each; beyond that number idle ones are closed.
const MAX_OPEN: usize = 4096;
/// Partitions that can be opened side by side.
const OPENINGS: usize = 16;
#[derive(Debug)]
pub(super) struct Writing {
    /// Keeps other processes out.
    _directory: Arc<Directory>,
    pub(super) options: WriteOptions,
    /// By the stem of the file.
    open: Mutex<HashMap<String, Arc<Partition>>>,
    /// Held while a partition is opened, one of these for each stem.
    openings: [Mutex<()>; OPENINGS],
}

impl Writing {
    pub(super) fn new(directory: Arc<Directory>, options: WriteOptions) -> Self {
        Self {
            _directory: directory,
            options,
            open: Mutex::default(),
            openings: Default::default(),
        }
    }

    /// All that are open.
    pub(super) fn all(&self) -> Vec<Arc<Partition>> {
        self.open().values().cloned().collect()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, Arc<Partition>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partition, if it is open.
    pub(super) fn opened(
        &self,
        name: &PartitionName,
    ) -> Result<Option<Arc<Partition>>, ChainError> {
        let open = self.open();
        let Some(found) = open.get(name.stem()) else {
            return Ok(None);
        };
        if found.name == *name {
            return Ok(Some(Arc::clone(found)));
        }
        Err(ChainError::Taken {
            name: name.as_str().to_owned(),
            file: found
                .path
                .file_name()
                .unwrap_or_default()
                .display()
                .to_string(),
            owner: found.name.as_str().to_owned(),
        })
    }

    /// The partition, opened if it is not.
    pub(super) fn partition(
        &self,
        folder: &Path,
        name: PartitionName,
        create: bool,
    ) -> Result<Option<Arc<Partition>>, ChainError> {
        if let Some(found) = self.opened(&name)? {
            return Ok(Some(found));
        }
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name.stem());
        let _turn = self.openings[(hash % OPENINGS as u64) as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.opened(&name)? {
            return Ok(Some(found));
        }
        let stem = name.stem().to_owned();
        let opened = Partition::open(folder, name, &self.options, create)?.map(Arc::new);
        if let Some(partition) = &opened {
            let mut open = self.open();
            if open.len() >= MAX_OPEN {
                // Nobody else holds it, and nobody can get it while the map is locked.
                open.retain(|_, partition| {
                    Arc::strong_count(partition) > 1 || !partition.appends.is_idle()
                });
            }
            open.insert(stem, Arc::clone(partition));
        }
        Ok(opened)
    }
}
