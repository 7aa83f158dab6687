//! How far a subscriber that reads slowly is behind.

use std::time::Duration;

/// How far a subscriber is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind {
    /// Live transactions that are committed and have not come.
    pub(super) events: u64,
    /// Since the commit of the first of them.
    pub(super) time: Duration,
}
