//! What a report is built from: the rows of one or more sessions, as the metrics database holds them.

use metrics_db::{Performance, Phase, ResourceSample, Run, Session};

/// A session and its runs.
#[derive(Clone, Debug)]
pub struct SessionRows {
    /// The session.
    pub session: Session,
    /// Its runs in the order run.
    pub runs: Vec<RunRows>,
}

/// A run and what hangs on it.
#[derive(Clone, Debug)]
pub struct RunRows {
    /// The run.
    pub run: Run,
    /// Figures over the whole run; none where nothing was measured.
    pub performance: Option<Performance>,
    /// Figures per phase, first phase first.
    pub phases: Vec<Phase>,
    /// Samples of every role, oldest first.
    pub samples: Vec<ResourceSample>,
}
