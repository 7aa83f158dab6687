//! What was produced and consumed, counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since they were made. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    produced: AtomicU64,
    consumed: AtomicU64,
}

impl Counters {
    /// Records appended, not those refused.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.0.produced.load(Ordering::Relaxed)
    }

    /// Records given to consumers.
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.0.consumed.load(Ordering::Relaxed)
    }

    /// Counts records that were appended.
    pub fn note_produced(&self, records: u64) {
        self.0.produced.fetch_add(records, Ordering::Relaxed);
    }

    /// Counts records that consumers were given.
    pub fn note_consumed(&self, records: u64) {
        self.0.consumed.fetch_add(records, Ordering::Relaxed);
    }
}
