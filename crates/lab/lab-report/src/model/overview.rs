//! What stands beside the head: groups of targets, pairs of protocols, the place in a round, and how targets scale.

use serde::Serialize;

use super::figures::{Interval, Metric, Outcome};
use super::heads::Places;

/// The targets of a ranking, divided by one of their properties; places are those within a group.
#[derive(Clone, Debug, Serialize)]
pub struct Grouping {
    /// Payload.
    pub payload: String,
    /// What the places are by.
    pub metric: Metric,
    /// `protocol`, `language` or `framework`.
    pub by: &'static str,
    /// In the order of their best target.
    pub groups: Vec<Group>,
}

/// The targets that share a property.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Its value, e.g. `rest`.
    pub name: String,
    /// Best first.
    pub rows: Vec<GroupRow>,
}

/// A target within its group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupRow {
    /// Index into targets.
    pub target: usize,
    /// Its place within the group; `None` where it is not ranked.
    pub places: Option<Places>,
    /// Median over its trials.
    pub figure: Option<f64>,
    /// To the first of the group; `None` where the two were not judged.
    pub ratio: Option<f64>,
    /// Interval of the ratio.
    pub interval: Option<Interval>,
    /// Confidence level of the interval (0 to 1).
    pub level: Option<f64>,
}

/// One stack under two protocols.
#[derive(Clone, Debug, Serialize)]
pub struct ProtocolPair {
    /// Payload.
    pub payload: String,
    /// In what.
    pub metric: Metric,
    /// Index of the target over HTTP: rest or sse.
    pub http: usize,
    /// Index of the target over gRPC.
    pub grpc: usize,
    /// gRPC to HTTP.
    pub ratio: f64,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Confidence level of the interval (0 to 1).
    pub level: Option<f64>,
    /// What may be said; `None` where no verdict is possible.
    pub outcome: Option<Outcome>,
}

/// Whether the place in a round matters.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceRatio {
    /// Payload.
    pub payload: String,
    /// In what.
    pub metric: Metric,
    /// Second place to the first, freed from the difference between the targets.
    pub ratio: f64,
    /// Beyond 2 %.
    pub is_notable: bool,
}

/// A target under one load: the median over its trials that count, in one mode.
#[derive(Clone, Debug, Serialize)]
pub struct ScalePoint {
    /// `full` or `saturation`.
    pub mode: String,
    /// Payload.
    pub payload: String,
    /// Index into targets.
    pub target: usize,
    /// VUs or connections.
    pub vus: i32,
    /// Successes a second.
    pub rate: f64,
    /// 99th percentile of the latency, ms.
    pub p99_ms: Option<f64>,
    /// CPU of the service for each success, µs.
    pub cpu_us: Option<f64>,
    /// The generator was the limit in a trial.
    pub generator_limited: bool,
}

/// How a target scales: its points summed up.
#[derive(Clone, Debug, Serialize)]
pub struct ScaleRow {
    /// `full` or `saturation`.
    pub mode: String,
    /// Payload.
    pub payload: String,
    /// Index into targets.
    pub target: usize,
    /// Fewest VUs.
    pub least_vus: i32,
    /// Rate under these.
    pub least_rate: f64,
    /// Highest rate.
    pub most_rate: f64,
    /// Fewest VUs at which it reaches 95 % of that: the knee.
    pub knee_vus: i32,
    /// p99 there, ms.
    pub knee_p99_ms: Option<f64>,
    /// Most VUs.
    pub last_vus: i32,
    /// Rate under these, to the highest: below 1 where it loses under overload.
    pub kept: f64,
    /// CPU of a success under most VUs to that under the fewest.
    pub cpu_growth: Option<f64>,
}

/// What one of several generators made of a load.
#[derive(Clone, Debug, Serialize)]
pub struct GeneratorRow {
    /// Payload.
    pub payload: String,
    /// Index into targets.
    pub target: usize,
    /// Its name.
    pub name: String,
    /// Successes a second that it had.
    pub rate: f64,
    /// Successes a second that all of them had together.
    pub rate_of_all: f64,
    /// Highest share of its threads' time, 0 to 1.
    pub cpu_share: Option<f64>,
    /// Requests of all trials that were due and never sent.
    pub missed: i64,
    /// The most by which its clock differed from weir's, ms.
    pub clock_offset_ms: Option<f64>,
}
