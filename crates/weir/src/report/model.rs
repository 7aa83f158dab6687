//! The report as data: one serde tree that the page, its Markdown twin and every exporter are written from.
//!
//! Field names are those of the JSON in the page (`<script id="weir-data">`) and of `weir report --format json`.
//! Times are UTC, ISO 8601. Rates are successful requests a second, latencies milliseconds, memory MiB.

pub use metrics_db::Latency;
use serde::Serialize;

use super::stats::Interval;

/// Version of the shape below; raised when a field changes its meaning or goes.
pub const FORMAT: &str = "weir-report/1";

/// Everything that a report says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// Heading of the page.
    pub title: String,
    /// One line under the heading: date, mode, trials, payloads, machine.
    pub subtitle: String,
    /// The sessions that the runs are from, in the order asked for.
    pub sessions: Vec<SessionInfo>,
    /// smoke, full, saturation or compare.
    pub mode: String,
    /// False for a smoke run: five requests are no measurement, so figures of rate and latency percentiles are left out.
    pub measures: bool,
    /// PHASE_SCALE of the runs shown.
    pub phase_scale: f64,
    /// Pause of a VU between two requests in milliseconds; `None` where the environment does not say.
    pub think_time_ms: Option<f64>,
    /// What `rate` means in this mode, in words: it heads the throughput figure.
    pub rate_is: String,
    /// In the order first run; colours follow it.
    pub targets: Vec<Target>,
    /// Smallest first.
    pub payloads: Vec<String>,
    /// The phases of the mode.
    pub phases: Vec<PhaseInfo>,
    /// What was found.
    pub verdict: Verdict,
    /// Why it may be believed.
    pub badges: Vec<Badge>,
    /// One row a payload and target.
    pub throughput: Vec<ThroughputRow>,
    /// Pairs of targets, per payload; empty with fewer than two targets.
    pub comparisons: Vec<Comparison>,
    /// One row a payload, phase and target: medians over the trials that count.
    pub phase_rows: Vec<PhaseRow>,
    /// One row a payload and target.
    pub cost: Vec<CostRow>,
    /// Every run, also those left out, in the order run.
    pub runs: Vec<RunInfo>,
    /// CPU and memory over time, thinned to fit the page.
    pub series: Vec<Series>,
    /// What the fingerprint is made of, flattened.
    pub settings: Vec<Setting>,
    /// More than one entry: the sessions ran in different environments.
    pub fingerprints: Vec<Fingerprint>,
    /// What this report does not show, one paragraph each.
    pub limits: Vec<String>,
}

/// A session: one invocation of the lab.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "named as the columns of test_sessions")]
pub struct SessionInfo {
    pub id: String,
    pub command: String,
    pub seed: i64,
    pub runtime: String,
    pub git_commit: Option<String>,
    pub fingerprint: String,
    pub started_at: String,
    pub completed_at: Option<String>,
}

/// A target and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// As in targets.toml.
    pub name: String,
    /// rest, grpc, sse.
    pub protocol: String,
    /// Implementation language.
    pub language: Option<String>,
    /// HTTP or gRPC framework.
    pub framework: Option<String>,
    /// What made the load: k6 or benchmark.
    pub driver: String,
    /// Place in the page's palette.
    pub color: usize,
}

/// A phase of the mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseInfo {
    /// From 1.
    pub number: i32,
    /// e.g. baseline.
    pub name: String,
    /// VUs or connections.
    pub vus: i32,
    /// Seconds after the start of the first phase.
    pub start_seconds: f64,
    /// Seconds.
    pub duration_seconds: f64,
}

/// Good, doubtful or bad: decides mark and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Warn,
    /// Wrong.
    Bad,
}

/// What kind of sentence the verdict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// An audit failed: nothing else counts.
    AuditFailed,
    /// No run was finished, or a target does not work.
    Failed,
    /// Smoke: works, not ranked.
    Smoke,
    /// Seen, but too few trials, or one target only.
    Seen,
    /// No verdict: the generator was the limit.
    GeneratorLimited,
    /// No verdict for another reason that the validity checks name.
    NoVerdict,
    /// A difference that holds.
    Difference,
    /// No detectable difference.
    NoDifference,
}

/// The first card.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What kind of sentence it is.
    pub kind: VerdictKind,
    /// Bad: the sentence is in the colour for bad.
    pub level: Level,
    /// The sentence, cut where a target is named.
    pub sentence: Vec<Span>,
    /// Further sentences, in smaller type.
    pub notes: Vec<String>,
}

impl Verdict {
    /// The sentence as plain text.
    pub fn text(&self) -> String {
        self.sentence
            .iter()
            .map(|span| span.text.as_str())
            .collect()
    }
}

/// A piece of the verdict's sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// Its words.
    pub text: String,
    /// Index into [`Report::targets`] where the piece is a target's name.
    pub target: Option<usize>,
}

/// One check with its figure.
#[derive(Clone, Debug, Serialize)]
pub struct Badge {
    /// audit, errors, generator, dropped, contract, settings, left_out, or the id of another check.
    pub id: String,
    /// Mark and colour.
    pub level: Level,
    /// The check's outcome with its figure.
    pub text: String,
    /// Id of the section that the figure comes from.
    pub section: &'static str,
}

/// Rates of a target under one payload.
#[derive(Clone, Debug, Serialize)]
pub struct ThroughputRow {
    /// Payload.
    pub payload: String,
    /// Index into targets.
    pub target: usize,
    /// Median of the trials, requests/s.
    pub median: f64,
    /// Bootstrap interval of the median, from four trials on.
    pub interval: Option<Interval>,
    /// To the best median of the payload: 1 is the best.
    pub relative: f64,
    /// Place within the payload, equal where no difference is detectable; `None` where nothing is ranked.
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

/// Two targets under one payload.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Payload.
    pub payload: String,
    /// Index of the one with the higher median.
    pub higher: usize,
    /// Index of the other.
    pub lower: usize,
    /// Ratio of the medians, at least 1.
    pub ratio: f64,
    /// Bootstrap interval of the ratio, from four trials each on.
    pub interval: Option<Interval>,
    /// Mann-Whitney, two-sided, exact; from four trials each on.
    pub p: Option<f64>,
    /// The same after Holm's correction over all pairs of the report.
    pub p_corrected: Option<f64>,
    /// Significant after correction and interval beside 1; `None` where no verdict is possible.
    pub differs: Option<bool>,
    /// Fewest trials of the two.
    pub trials: usize,
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
    pub payload: String,
    pub trial: i32,
    pub order: i32,
    pub status: String,
    /// How it takes part.
    pub standing: Standing,
    /// Why it does not count, in sentences.
    pub reasons: Vec<String>,
    pub started_at: String,
    pub duration_seconds: Option<f64>,
    /// The rate that the throughput figure shows: see [`Report::rate_is`].
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

/// One line of the environment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Dotted path.
    pub key: String,
    /// Value per fingerprint, in the order of [`Report::fingerprints`].
    pub values: Vec<String>,
    /// True where they differ.
    pub differs: bool,
}

/// An environment that sessions share.
#[derive(Clone, Debug, Serialize)]
pub struct Fingerprint {
    /// SHA-256, hex; empty where the session did not record one.
    pub value: String,
    /// Session ids.
    pub sessions: Vec<String>,
}
