//! Sessions of different environments side by side.

use lab_verdict::{Interval, Outcome};
use serde::Serialize;

use super::figures::Metric;

/// One target against the reference, in each session of its own.
#[derive(Clone, Debug, Serialize)]
pub struct Across {
    /// The target.
    pub target: String,
    /// Payload.
    pub payload: String,
    /// In what.
    pub metric: Metric,
    /// One a session.
    pub rows: Vec<AcrossRow>,
    /// Whether all sessions say the same; none where one of them has not decided.
    pub agree: Option<bool>,
}

/// What one session found.
#[derive(Clone, Debug, Serialize)]
pub struct AcrossRow {
    /// Its id.
    pub session: String,
    /// Target to reference.
    pub ratio: f64,
    /// Its confidence interval.
    pub interval: Option<Interval>,
    /// Confidence level of the interval, 0 to 1.
    pub level: Option<f64>,
    /// Rounds behind it.
    pub rounds: usize,
    /// What may be said by this session alone; none where no verdict is possible.
    pub outcome: Option<Outcome>,
}
