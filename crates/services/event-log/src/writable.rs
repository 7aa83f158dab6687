//! Whether the store can be written to: what health says.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use group_commit::Faults;
use nix::sys::statvfs::statvfs;
use runtime::health::Health;
use tokio_util::sync::CancellationToken;
use topics::TopicLog;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Less than this is no room: a batch of small appends takes more.
const ROOM_BYTES: usize = 64 * 1024;

/// Whether appends can succeed. Clones share everything.
#[derive(Clone, Debug)]
pub struct Writable(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    faults: Faults,
    health: Health,
    topics: Option<Arc<dyn TopicLog>>,
}

impl Writable {
    /// Of the store in `directory`, whose writers note in `faults` what they find.
    #[must_use]
    pub fn new(directory: &Path, faults: Faults) -> Self {
        Self(Arc::new(Shared {
            directory: directory.to_owned(),
            faults,
            health: Health::new(),
            topics: None,
        }))
    }

    /// The same, with what keeps the topics: where that cannot be used the service does not serve.
    #[must_use]
    pub fn and_topics(self, topics: Arc<dyn TopicLog>) -> Self {
        Self(Arc::new(Shared {
            directory: self.0.directory.clone(),
            faults: self.0.faults.clone(),
            health: Health::new(),
            topics: Some(topics),
        }))
    }

    /// Whether appends can succeed now: there is room on the disk, no write or sync failed for good, and Kafka answers where
    /// it keeps the topics.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        let topics = self.0.topics.as_ref();
        !self.0.faults.is_full()
            && self.0.faults.poisoned().is_none()
            && topics.is_none_or(|topics| topics.is_serving())
    }

    /// What the standard health service follows.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// Looks whether there is room, until the stop. Without room it tries to write until there is some, so that health is
    /// true again without an append of anybody.
    pub async fn watch(&self, stop: &CancellationToken) {
        loop {
            let this = self.clone();
            // A panic in there leaves health as it was, and is on standard error.
            drop(tokio::task::spawn_blocking(move || this.look()).await);
            self.0.health.set(self.is_serving());
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    fn look(&self) {
        let Shared {
            directory, faults, ..
        } = &*self.0;
        if !faults.is_full() && has_free_blocks(directory) {
            return;
        }
        match try_to_write(directory) {
            Ok(()) => faults.note_room(),
            Err(error) => faults.note_full(&error),
        }
    }
}

/// Whether the file system says so. Root and quotas see another number: then a write tells.
#[allow(
    clippy::useless_conversion,
    reason = "the number has 32 bits on some systems"
)]
fn has_free_blocks(directory: &Path) -> bool {
    statvfs(directory).is_ok_and(|found| {
        let free = u64::from(found.blocks_available()) * found.fragment_size();
        free >= ROOM_BYTES as u64
    })
}

/// Writes as much as a batch of appends takes to a file of its own, and removes it.
fn try_to_write(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".event-log-room-{}", std::process::id()));
    let mut file = File::create(&path)?;
    let written = file
        .write_all(&[0; ROOM_BYTES])
        .and_then(|()| file.sync_data());
    let removed = fs::remove_file(&path);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_serves_again_once_a_write_finds_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let faults = Faults::default();
        let writable = Writable::new(folder.path(), faults.clone());
        assert!(writable.is_serving());
        faults.note_full(&io::ErrorKind::StorageFull.into());
        assert!(!writable.is_serving());
        writable.look();
        assert!(writable.is_serving());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        // What failed for good stays so.
        faults.note_poisoned(&"sync: I/O error".into());
        writable.look();
        assert!(!writable.is_serving());
    }

    #[test]
    fn a_directory_that_takes_no_file_does_not_serve() {
        let folder = tempfile::tempdir().expect("a folder");
        let writable = Writable::new(&folder.path().join("gone"), Faults::default());
        writable.look();
        assert!(!writable.is_serving());
    }
}
