//! The figures of the report: rows per target and payload, per phase, per trial, over time.

use metrics_db::Latency;
use serde::Serialize;

use super::{Level, PhaseInfo};
pub use lab_verdict::{Interval, Outcome};

/// Rates of a target under one payload.
#[derive(Clone, Debug, Serialize)]
pub struct ThroughputRow {
    /// Payload.
    pub payload: String,
    /// Index into targets.
    pub target: usize,
    /// Median of the trials, requests/s.
    pub median: f64,
    /// Exact interval of the median at 95 % or a little more, from six trials on.
    pub interval: Option<Interval>,
    /// To the best median of the payload: 1 is the best.
    pub relative: f64,
    /// Place within the payload, equal where no difference is certain; `None` where nothing is ranked.
    pub rank: Option<usize>,
    /// The trials: run id and rate.
    pub trials: Vec<TrialRate>,
    /// False where the trials shown do not count (the generator was the limit, a validity check failed).
    pub ranked: bool,
    /// Why not, where `ranked` is false.
    pub reason: Option<String>,
}

/// A dot of the throughput figure.
#[derive(Clone, Debug, Serialize)]
pub struct TrialRate {
    /// Run id.
    pub run: i64,
    /// Trial number.
    pub trial: i32,
    /// Requests/s.
    pub rate: f64,
}

/// What two targets are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Metric {
    /// Successes a second: closed models.
    #[serde(rename = "rate")]
    Rate,
    /// CPU of the service for each success, at a fixed rate.
    #[serde(rename = "service CPU")]
    Cpu,
    /// 99th percentile of the latency, at a fixed rate.
    #[serde(rename = "p99 latency")]
    P99,
}

impl Metric {
    /// This figure of a run; `None` where it was not measured.
    pub fn of(self, run: &RunInfo) -> Option<f64> {
        match self {
            Self::Rate => run.rate,
            Self::Cpu => run.cpu_us.target,
            Self::P99 => run.latency.p99,
        }
    }
}

/// Two targets under one payload, judged over the rounds that they have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// In what.
    pub metric: Metric,
    /// Payload.
    pub payload: String,
    /// Index of the one with more.
    pub higher: usize,
    /// Index of the other.
    pub lower: usize,
    /// `higher` to `lower`, at least 1: the Hodges-Lehmann estimate over rounds, or the ratio of the medians where no test is made.
    pub ratio: f64,
    /// Its confidence interval.
    pub interval: Option<Interval>,
    /// Confidence level of the interval (0 to 1): that at which the correction tested it.
    pub level: Option<f64>,
    /// The interval by which equality is judged, at `1 - 2 (1 - level)`.
    pub equality_interval: Option<Interval>,
    /// Exact signed rank test over rounds, two-sided.
    pub p: Option<f64>,
    /// The same after Holm's correction over the comparisons of its family.
    pub p_corrected: Option<f64>,
    /// What may be said; `None` where no verdict is possible.
    pub outcome: Option<Outcome>,
    /// Why not, where it is not for want of rounds.
    pub no_verdict: Option<String>,
    /// What would decide an open comparison.
    pub next: Option<String>,
    /// False where another figure was named as the primary one: it describes.
    pub decides: bool,
    /// Rounds in which both trials count.
    pub rounds: usize,
    /// Fewest rounds at which a difference could be found.
    pub rounds_needed: usize,
    /// Fewest trials of the two.
    pub trials: usize,
    /// How far apart two equal targets seemed to be in the same figure; none where no A/A session of this machine says so.
    pub noise: Option<NoiseFloor>,
}

/// What an A/A session found between the two names of its one target: the instrument's own difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoiseFloor {
    /// In what.
    pub metric: Metric,
    /// The ratio of the two names, at least 1.
    pub ratio: f64,
    /// Its confidence interval; none with too few rounds.
    pub interval: Option<Interval>,
    /// Rounds behind it.
    pub rounds: usize,
    /// The A/A session.
    pub session: String,
}

/// Medians over the trials of one target, payload and phase.
#[derive(Clone, Debug, Serialize)]
pub struct PhaseRow {
    /// Payload.
    pub payload: String,
    /// Index into targets.
    pub target: usize,
    /// Phase.
    pub phase: PhaseInfo,
    /// Trials behind it.
    pub trials: usize,
    /// Requests, all answers.
    pub requests: f64,
    /// Successful requests a second.
    pub rate: f64,
    /// 0 to 1.
    pub error_rate: f64,
    /// Median over trials of each percentile; percentiles of different trials are never averaged.
    pub latency: Latency,
    /// CPU-seconds a second, in percent of one core: mean over the phase from its boundary counters.
    pub cpu_avg_percent: Option<f64>,
    /// Highest one-second sample, percent of one core.
    pub cpu_peak_percent: Option<f64>,
    /// MiB.
    pub memory_avg_mb: Option<f64>,
    /// MiB.
    pub memory_peak_mb: Option<f64>,
    /// Generator's CPU, share of its allowance (0 to 1).
    pub generator_share: Option<f64>,
    /// True where the generator was the limit in any trial.
    pub generator_limited: bool,
    /// CPU microseconds per successful request: service, database, generator.
    pub cpu_us: CpuPerRequest,
    /// `(avg CPU % x phase duration) / requests`.
    pub cpu_percent_per_request: Option<f64>,
    /// `(avg memory MB x phase duration) / requests`.
    pub ram_mb_per_request: Option<f64>,
}

/// CPU microseconds per successful request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CpuPerRequest {
    /// The service under test.
    pub target: Option<f64>,
    /// PostgreSQL.
    pub database: Option<f64>,
    /// What makes the load.
    pub generator: Option<f64>,
}

/// What a request costs a target under one payload: medians over trials, all phases together.
#[derive(Clone, Debug, Serialize)]
pub struct CostRow {
    /// Payload.
    pub payload: String,
    /// Index into targets.
    pub target: usize,
    /// CPU microseconds per successful request.
    pub cpu_us: CpuPerRequest,
    /// Bytes that the generator sent per request.
    pub bytes_sent: Option<f64>,
    /// Bytes that the generator received per request.
    pub bytes_received: Option<f64>,
    /// CPU of the service, percent of one core: time-weighted mean over the phases.
    pub cpu_avg_percent: Option<f64>,
    /// Highest sample, percent of one core.
    pub cpu_peak_percent: Option<f64>,
    /// Time-weighted mean over the phases, MiB.
    pub memory_avg_mb: Option<f64>,
    /// MiB.
    pub memory_peak_mb: Option<f64>,
    /// WAL bytes per stored event, where the database was asked.
    pub wal_bytes: Option<f64>,
    /// `(avg CPU % x duration) / requests` over all phases.
    pub cpu_percent_per_request: Option<f64>,
    /// `(avg memory MB x duration) / requests` over all phases.
    pub ram_mb_per_request: Option<f64>,
}

/// Bytes of an answer or an event: medians over trials.
#[derive(Clone, Debug, Serialize)]
pub struct WireRow {
    /// Scenario.
    pub scenario: String,
    /// Index into targets.
    pub target: usize,
    /// `balance` or `event`.
    pub unit: &'static str,
    /// Without headers and framing: the body, or the message.
    pub payload_bytes: Option<f64>,
    /// What was expected of that before anything was measured.
    pub expected_bytes: f64,
    /// As the generator received them above TCP, with headers and framing.
    pub received_bytes: Option<f64>,
    /// As it sent them.
    pub sent_bytes: Option<f64>,
}

/// How a run takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Counts in every figure.
    Counted,
    /// Finished, but a validity check failed: shown where nothing better is there, never ranked.
    Invalid,
    /// Failed, aborted, still running, or its audit failed.
    LeftOut,
}

/// One run: a cell of the matrix.
#[derive(Clone, Debug, Serialize)]
#[allow(
    missing_docs,
    reason = "named as the columns of test_runs and performance_metrics"
)]
pub struct RunInfo {
    pub id: i64,
    pub session: String,
    pub label: String,
    pub target: usize,
    /// ingest, balance, stream or log.
    pub scenario: String,
    pub payload: String,
    /// Events of each request; rates and costs are those of events.
    pub events_per_request: f64,
    pub trial: i32,
    pub order: i32,
    pub status: String,
    /// How it takes part.
    pub standing: Standing,
    /// Why it does not count, in sentences.
    pub reasons: Vec<String>,
    pub started_at: String,
    pub duration_seconds: Option<f64>,
    /// The rate that the throughput figure shows: see `Report::rate_is`.
    pub rate: Option<f64>,
    pub requests: Option<i64>,
    pub successful: Option<i64>,
    pub failed: Option<i64>,
    pub dropped: Option<i64>,
    pub error_rate: Option<f64>,
    pub latency: Latency,
    pub bytes_sent: Option<i64>,
    pub bytes_received: Option<i64>,
    pub cpu_us: CpuPerRequest,
    /// Highest share of its allowance that the generator used in a phase (0 to 1).
    pub generator_share: Option<f64>,
    /// Numbers of the phases in which the generator was the limit.
    pub generator_limited: Vec<i32>,
    pub memory_peak_mb: Option<f64>,
    pub audit_acknowledged: Option<i64>,
    pub audit_in_doubt: Option<i64>,
    pub audit_stored: Option<i64>,
    pub audit_passed: Option<bool>,
    /// Bytes of an answer or an event without headers and framing, where they were looked at.
    pub payload_bytes: Option<f64>,
    /// WAL written by the application database over the run.
    pub wal_bytes: Option<f64>,
    pub checks: Vec<CheckInfo>,
    pub phases: Vec<PhaseRow>,
    pub seed: i64,
}

/// A check of a run, as judged when it ran.
#[derive(Clone, Debug, Serialize)]
pub struct CheckInfo {
    /// Stable name.
    pub id: String,
    /// What is checked.
    pub label: String,
    /// Outcome.
    pub level: Level,
    /// The measured figure with its unit.
    pub figure: String,
    /// What was compared with what.
    pub detail: String,
    /// What was measured, in `unit`; `None` in rows stored before checks were data.
    pub value: Option<f64>,
    /// What it was compared with, in `unit`.
    pub bound: Option<f64>,
    /// `share` (0 to 1), `ms` or `count`.
    pub unit: Option<String>,
}

/// Samples of one role of one run: columns of equal length.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// Run id.
    pub run: i64,
    /// target, database, generator, host.
    pub role: String,
    /// Seconds after the start of the first phase.
    pub t: Vec<f64>,
    /// Cores in use.
    pub cpu: Vec<Option<f64>>,
    /// MiB.
    pub memory: Vec<Option<f64>>,
}
