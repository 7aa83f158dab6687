//! What keeps a store from being written to.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// What keeps a store from being written to, as its writers have found it. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    full: AtomicBool,
    poisoned: OnceLock<Arc<str>>,
}

impl Faults {
    /// Notes that a write found no room, and logs it where that is new.
    pub fn note_full(&self, error: &io::Error) {
        if !self.0.full.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "no room on the disk: appends are refused until there is");
        }
    }

    /// Notes that a write found room, and logs it where that is new.
    pub fn note_room(&self) {
        if self.is_full() && self.0.full.swap(false, Ordering::Relaxed) {
            tracing::info!("there is room on the disk again: appends go on");
        }
    }

    /// Whether the last write found no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Relaxed)
    }

    /// Notes that a partition takes no more appends until the process is started anew.
    pub fn note_poisoned(&self, reason: &Arc<str>) {
        // The first one is the cause.
        drop(self.0.poisoned.set(Arc::clone(reason)));
    }

    /// Why a partition takes no more appends, if there is such a partition.
    #[must_use]
    pub fn poisoned(&self) -> Option<Arc<str>> {
        self.0.poisoned.get().cloned()
    }
}

/// Whether `error` says that the disk, a quota, the limit of a file's size or that on open files is used up. The same write can
/// succeed later.
#[must_use]
pub fn is_out_of_room(error: &io::Error) -> bool {
    is_out_of_files(error)
        || matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
}

/// Whether `error` says that the process, or the machine, has as many files open as it may: nothing was done to the file.
#[must_use]
pub fn is_out_of_files(error: &io::Error) -> bool {
    // The same numbers on Linux, macOS and the BSDs; the standard library has no kind for them.
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}
