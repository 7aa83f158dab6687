//! What was written, counted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts since they were made, of all partitions together. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    appends: AtomicU64,
    batches: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    sync_nanoseconds: AtomicU64,
}

impl Counters {
    /// Entries written.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.0.appends.load(Ordering::Relaxed)
    }

    /// Writes that they shared.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.0.batches.load(Ordering::Relaxed)
    }

    /// Bytes of these entries.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Times that a partition was brought to the disk.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::Relaxed)
    }

    /// Time spent on that.
    #[must_use]
    pub fn sync_time(&self) -> Duration {
        Duration::from_nanos(self.0.sync_nanoseconds.load(Ordering::Relaxed))
    }

    pub(crate) fn wrote(&self, entries: u64, bytes: u64) {
        self.0.appends.fetch_add(entries, Ordering::Relaxed);
        self.0.batches.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let begun = Instant::now();
        let synced = sync();
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.syncs.fetch_add(1, Ordering::Relaxed);
        self.0.sync_nanoseconds.fetch_add(took, Ordering::Relaxed);
        synced
    }
}
