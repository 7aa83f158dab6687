//! The points of a series, and where it changed.

use serde::Serialize;

use crate::model::Interval;

/// A session.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// Session id.
    pub session: String,
    /// Commit; `+dirty` where files differed.
    pub commit: Option<String>,
    /// UTC, ISO 8601, to the minute.
    pub started_at: String,
    /// Trials that count.
    pub trials: usize,
    /// Median over these.
    pub value: f64,
    /// Exact interval of the median, from six trials on.
    pub interval: Option<Interval>,
}

/// A change.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// Index of the first point after it.
    pub index: usize,
    /// Commit of that point.
    pub commit: Option<String>,
    /// Commit of the point before.
    pub commit_before: Option<String>,
    /// Median from the change before to this one.
    pub before: f64,
    /// Median from this change to the next.
    pub after: f64,
    /// After to before.
    pub ratio: f64,
    /// True where the figure became better.
    pub is_better: bool,
    /// Permutation test.
    pub p: f64,
}
