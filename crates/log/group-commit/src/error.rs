//! Why an append was not done.

use std::sync::Arc;

/// Why an append was not done. `Display` contains no internals, except the operating system's error for a poisoned sink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too much waits already.
    #[error("too many appends are waiting: retry later")]
    Full,
    /// The disk or a quota is full, or no file can be opened. Nothing of it is promised, and appends go on as soon as there is
    /// room.
    #[error("there is no room on the disk: retry later")]
    NoRoom,
    /// A write or a sync failed, now or earlier.
    #[error("appends are refused since a write failed: {0}")]
    Poisoned(Arc<str>),
}
