//! How topics are kept and consumed.

use std::time::Duration;

use group_commit::Terms;

/// How topics are kept and consumed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Segment files that stay open beside those in use.
    pub open_files: usize,
    /// Longest time from a buffered append until a sync of it begins; bounds what is read again after a crash. Not 0.
    pub sync_interval: Duration,
    /// From one look for what retention does not keep to the next.
    pub retention_interval: Duration,
    /// How long a consumer group prepares when a member has come or gone, so that what is under way can be committed.
    pub rebalance_delay: Duration,
    /// Appends that may wait at one partition, their bytes for all together.
    pub terms: Terms,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            open_files: 512,
            sync_interval: Duration::from_secs(2),
            retention_interval: Duration::from_secs(5),
            rebalance_delay: Duration::from_millis(100),
            terms: Terms::default(),
        }
    }
}
