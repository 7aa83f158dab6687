//! What heads the page: a row a question, or a ranked table where there are more than two targets.

use serde::Serialize;

use super::figures::{Interval, Metric, Outcome};

/// One question and its answer.
#[derive(Clone, Debug, Serialize)]
pub struct HeadRow {
    /// What was asked.
    pub question: String,
    /// The answer in a few words.
    pub answer: String,
    /// Index of the target that the answer begins with.
    pub target: Option<usize>,
    /// `different`, `equal` or `open`.
    pub outcome: Outcome,
    /// The figure with its interval, rounds and p; what would decide an open one.
    pub why: String,
    /// Another figure was named as the primary one.
    pub describes: bool,
    /// The interval as a drawing.
    pub drawing: Option<Drawing>,
}

/// Places on a logarithmic axis, in units of the drawing.
#[derive(Clone, Debug, Serialize)]
pub struct Drawing {
    /// Width.
    pub width: f64,
    /// The ratio.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The ratio 1.
    pub one: f64,
    /// Lower end of the margin.
    pub margin_low: f64,
    /// Upper end of the margin.
    pub margin_high: f64,
    /// Marks of the axis: place and label.
    pub ticks: Vec<(f64, String)>,
    /// The same in words.
    pub text: String,
}

/// The targets of a scenario under one payload, best first.
#[derive(Clone, Debug, Serialize)]
pub struct Ranking {
    /// Payload.
    pub payload: String,
    /// What the places are by: the figure that decides.
    pub metric: Metric,
    /// What was asked.
    pub question: String,
    /// The answer in a few words.
    pub answer: String,
    /// Index of the target that the answer begins with.
    pub target: Option<usize>,
    /// `different` where one target is certainly first, `equal` where those that share the first place are certainly within
    /// the margin of each other, else `open`.
    pub outcome: Outcome,
    /// How far the next is behind the first, with its interval; who shares the first place where it is shared.
    pub why: String,
    /// Index of the target that the ratios are to: the reference where one was named, else the first.
    pub base: usize,
    /// The base was named as the reference.
    pub by_reference: bool,
    /// Best first, those that are not ranked last.
    pub rows: Vec<RankedTarget>,
}

/// A target of the table.
#[derive(Clone, Debug, Serialize)]
pub struct RankedTarget {
    /// Index into targets.
    pub target: usize,
    /// Language and framework.
    pub stack: String,
    /// Its place; `None` where it is not ranked.
    pub places: Option<Places>,
    /// Median over the trials: successes a second, CPU microseconds or milliseconds, as the metric is.
    pub figure: Option<f64>,
    /// Its figure to that of the base; `None` where the two were not judged.
    pub ratio: Option<f64>,
    /// Interval of the ratio.
    pub interval: Option<Interval>,
    /// Confidence level of the interval (0 to 1).
    pub level: Option<f64>,
    /// 99th percentile of the latency in the last phase, milliseconds.
    pub p99_ms: Option<f64>,
    /// Highest memory of the service, MiB.
    pub memory_mb: Option<f64>,
    /// Why it is not ranked.
    pub reason: Option<String>,
}

/// The places that a target may have: one where it is certain, several where it shares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Places {
    /// One more than the targets that are certainly better.
    pub best: usize,
    /// The number of ranked targets less those that are certainly worse.
    pub worst: usize,
}
