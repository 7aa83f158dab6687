//! What follows from a verdict file: the decision, and the answer in each figure.

use serde::Serialize;

use crate::verdict_file::Better;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Certainly not worse than the limit allows, in each figure.
    Held,
    /// Not decided: too few rounds, too much spread, or disturbed.
    Open,
    /// Certainly worse than the limit allows, in at least one figure; or the candidate does not do its work.
    Regressed,
}

impl Outcome {
    /// The exit status of `weir gate`.
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Regressed => 1,
            Self::Open => 2,
        }
    }
}

/// The decision with all that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// What follows.
    pub outcome: Outcome,
    /// 0, 1 or 2.
    pub exit_status: u8,
    /// The decision in a sentence.
    pub sentence: String,
    /// As asked.
    pub baseline: String,
    /// As asked.
    pub candidate: String,
    /// As asked.
    pub max_regression: f64,
    /// One for each figure and payload.
    pub answers: Vec<Answer>,
    /// Reasons that do not belong to one figure.
    pub reasons: Vec<String>,
    /// What would decide an open one, each remedy once.
    pub next: Vec<String>,
}

/// The decision in one figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Name of the figure.
    pub figure: String,
    /// Its unit, where it is known.
    pub unit: Option<String>,
    /// Payload, where there are several.
    pub payload: Option<String>,
    /// Which direction is better.
    pub better: Better,
    /// What follows.
    pub outcome: Outcome,
    /// Rounds that count.
    pub rounds: usize,
    /// Median of the baseline over these rounds.
    pub baseline: Option<f64>,
    /// Median of the candidate.
    pub candidate: Option<f64>,
    /// Candidate to baseline.
    pub ratio: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Confidence level of the interval (0 to 1).
    pub level: f64,
    /// The ratio beyond which the candidate has regressed: above it where less is better, below it where more is.
    pub limit: f64,
    /// Why there is no interval, or what forbids a verdict.
    pub reason: Option<String>,
    /// What would decide it.
    pub next: Option<String>,
}
