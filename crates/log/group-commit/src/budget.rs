//! The bytes that appends in flight may hold, for all partitions of a store together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bounded number of bytes. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    taken: AtomicUsize,
    most: usize,
}

impl Budget {
    /// A budget of at most `most` bytes in flight.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            taken: AtomicUsize::new(0),
            most,
        }))
    }

    /// Takes `bytes`, or nothing if that exceeds the budget now. A single item is never too large: it is admitted if
    /// nothing else is in flight.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let before = self.0.taken.fetch_add(bytes, Ordering::Relaxed);
        if before == 0 || before + bytes <= self.0.most {
            return true;
        }
        self.give_back(bytes);
        false
    }

    /// Gives back what [`take`](Self::take) took.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.0.taken.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The bytes in flight.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }
}
