//! What all loads share: the gate between loads and checks, what their requests came to, and what a check found.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::RwLock;

/// Pause of a worker whose request failed.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_millis(20);
/// Longest wait for an answer: REQUEST_TIMEOUT is 10 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Workers hold it for one request; whoever checks holds it alone.
pub(crate) type Gate = Arc<RwLock<()>>;

/// What requests came to, since the last look.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: AtomicU64,
    /// Refused, or without an answer.
    pub(crate) failed: AtomicU64,
}

impl Counts {
    pub(crate) fn ok(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Acknowledged and failed since the last call.
    pub(crate) fn take(&self) -> (u64, u64) {
        (
            self.acknowledged.swap(0, Ordering::Relaxed),
            self.failed.swap(0, Ordering::Relaxed),
        )
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Acknowledged, and not there.
    pub(crate) lost: u64,
    /// There more than once, or nobody's.
    pub(crate) repeated: u64,
    /// Anything else that was promised and not kept, in words.
    pub(crate) broken: Vec<String>,
}

impl Findings {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.broken.is_empty()
    }
}
