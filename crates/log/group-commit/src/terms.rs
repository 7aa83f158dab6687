//! The limits within which appends are accepted.

use crate::budget::Budget;
use crate::faults::Faults;

/// How much may wait at one [`GroupCommit`](crate::GroupCommit), and where its faults are noted.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Appends that may wait; one more is refused.
    pub capacity: usize,
    /// Bytes of appends that may wait; clones share it, so that it bounds a whole store.
    pub budget: Budget,
    /// Clones share it, so that it covers a whole store.
    pub faults: Faults,
}

impl Default for Terms {
    /// 65,536 appends, 256 MiB.
    fn default() -> Self {
        Self {
            capacity: 64 * 1024,
            budget: Budget::new(256 * 1024 * 1024),
            faults: Faults::default(),
        }
    }
}
