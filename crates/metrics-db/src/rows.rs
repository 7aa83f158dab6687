//! The rows of the metrics database as plain structs.
//!
//! Units stand in the column comments of `V1__metrics_schema.sql`; latencies are milliseconds, memory is MiB.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::serde::rfc3339;

use crate::error::Error;

/// One invocation of the lab: a matrix of runs under one seed and one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Sortable: UTC time and a random suffix.
    pub id: String,
    /// The command line that repeats the session.
    pub command: String,
    /// Seed of the generator and of the order of the cells.
    pub seed: i64,
    /// `docker`, `native` or `external`.
    pub runtime: String,
    /// Commit of the checkout, `+dirty` appended where files differ.
    pub git_commit: Option<String>,
    /// Kernel, CPU, limits, versions, settings: what the fingerprint hashes.
    pub environment: Value,
    /// SHA-256 (hex) over the canonical environment.
    pub fingerprint: String,
    /// When the session began.
    #[serde(with = "rfc3339")]
    pub started_at: OffsetDateTime,
    /// When the last cell ended; none while it runs or when it crashed.
    #[serde(with = "rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
}

/// What is known of a session at its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NewSession {
    /// See [`Session::id`].
    pub id: String,
    /// See [`Session::command`].
    pub command: String,
    /// See [`Session::seed`].
    pub seed: i64,
    /// `docker`, `native` or `external`.
    pub runtime: String,
    /// See [`Session::git_commit`].
    pub git_commit: Option<String>,
    /// See [`Session::environment`]; a JSON object.
    pub environment: Value,
    /// See [`Session::fingerprint`].
    pub fingerprint: String,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Begun and not ended; `stats-sidecar` samples it.
    #[default]
    Running,
    /// Measured to its end (which says nothing about its validity).
    Completed,
    /// Could not be measured, or its audit failed; `error_message` says why.
    Failed,
    /// Interrupted by the user.
    Aborted,
}

impl RunStatus {
    /// The word stored in `test_runs.status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<Self, Error> {
        [Self::Running, Self::Completed, Self::Failed, Self::Aborted]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| Error::UnknownValue {
                column: "test_runs.status",
                value: word.into(),
            })
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One cell of a session's matrix (target x payload x trial): a row of `test_runs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Number of the run.
    pub id: i64,
    /// The session it belongs to.
    pub session_id: Option<String>,
    /// The target's name in `targets.toml`.
    pub api_name: String,
    /// `ingest`, `balance`, `stream` or `log`.
    pub scenario: String,
    /// `smoke`, `full`, `saturation` or `compare`.
    pub test_mode: String,
    /// `default`, `4k`, `8k`, `32k` or `64k`.
    pub payload_size: String,
    /// `rest`, `grpc` or `sse`.
    pub protocol: String,
    /// The target's language.
    pub language: Option<String>,
    /// The target's framework.
    pub framework: Option<String>,
    /// What made the load: `k6` or `benchmark`.
    pub driver: String,
    /// The run id that every event of the run carries.
    pub run_label: String,
    /// From 1.
    pub trial: i32,
    /// Place within the session, from 1.
    pub run_order: i32,
    /// Seed of the generator.
    pub seed: i64,
    /// `PHASE_SCALE`.
    pub phase_scale: f64,
    /// How far it has come.
    pub status: RunStatus,
    /// When the cell began (set-up and warm-up included).
    #[serde(with = "rfc3339")]
    pub started_at: OffsetDateTime,
    /// Start of the first phase.
    #[serde(with = "rfc3339::option")]
    pub measured_from: Option<OffsetDateTime>,
    /// When the cell ended.
    #[serde(with = "rfc3339::option")]
    pub completed_at: Option<OffsetDateTime>,
    /// Of the measured phases, seconds.
    pub duration_seconds: Option<f64>,
    /// Why it failed.
    pub error_message: Option<String>,
    /// What `stats-sidecar` samples; see [`crate::Sampling`].
    pub sampling: Option<Value>,
    /// None until judged; false takes part in no ranking.
    pub valid: Option<bool>,
    /// Sentences that the report shows.
    pub invalid_reasons: Vec<String>,
    /// Every check with its figure.
    pub checks: Vec<Check>,
    /// What was acknowledged and what is stored; none before the audit.
    pub audit: Option<Audit>,
    /// Rows, WAL bytes and checkpoints of the application database over the run.
    pub database_stats: Option<Value>,
}

/// What is known of a run at its start. `Default` fills in what the schema does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRun {
    /// See [`Run::session_id`].
    pub session_id: Option<String>,
    /// See [`Run::api_name`].
    pub api_name: String,
    /// See [`Run::scenario`]; default `ingest`.
    pub scenario: String,
    /// See [`Run::test_mode`]; default `smoke`.
    pub test_mode: String,
    /// See [`Run::payload_size`]; default `default`.
    pub payload_size: String,
    /// See [`Run::protocol`]; default `rest`.
    pub protocol: String,
    /// See [`Run::language`].
    pub language: Option<String>,
    /// See [`Run::framework`].
    pub framework: Option<String>,
    /// See [`Run::driver`]; default `k6`.
    pub driver: String,
    /// See [`Run::run_label`]; unique over all runs.
    pub run_label: String,
    /// See [`Run::trial`]; default 1.
    pub trial: i32,
    /// See [`Run::run_order`]; default 1.
    pub run_order: i32,
    /// See [`Run::seed`].
    pub seed: i64,
    /// See [`Run::phase_scale`]; default 1.
    pub phase_scale: f64,
}

impl Default for NewRun {
    fn default() -> Self {
        Self {
            session_id: None,
            api_name: String::new(),
            scenario: "ingest".into(),
            test_mode: "smoke".into(),
            payload_size: "default".into(),
            protocol: "rest".into(),
            language: None,
            framework: None,
            driver: "k6".into(),
            run_label: String::new(),
            trial: 1,
            run_order: 1,
            seed: 0,
            phase_scale: 1.0,
        }
    }
}

/// The audit's counts over one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Events that the generator counted as acknowledged.
    pub acknowledged: i64,
    /// Events sent whose answer was an error or never came.
    pub in_doubt: i64,
    /// Events of this run found in the application database.
    pub stored: i64,
    /// Whether `acknowledged <= stored <= acknowledged + in_doubt`.
    pub passed: bool,
}

impl Audit {
    /// Judges the counts: everything acknowledged is there, and nothing that was never sent.
    pub fn judge(acknowledged: i64, in_doubt: i64, stored: i64) -> Self {
        let passed = acknowledged <= stored && stored <= acknowledged + in_doubt;
        Self {
            acknowledged,
            in_doubt,
            stored,
            passed,
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Within its bound.
    #[default]
    Ok,
    /// Worth knowing; the run counts.
    Warn,
    /// Out of its bound; the run takes part in no ranking.
    Bad,
}

/// One check of a run's validity, shown as a badge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name, e.g. `generator_cpu`.
    pub id: String,
    /// What the badge says, e.g. `Generator CPU`.
    pub label: String,
    /// The measured figure with its unit, e.g. `41 % of 2 cores`.
    pub figure: String,
    /// Within the bound or not.
    pub status: CheckStatus,
    /// A sentence: what was compared with what.
    pub detail: String,
}

impl Check {
    /// A check within its bound.
    pub fn ok(id: &str, label: &str, figure: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(id, label, CheckStatus::Ok, figure, detail)
    }

    /// A check that does not exclude the run but should be read.
    pub fn warn(
        id: &str,
        label: &str,
        figure: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(id, label, CheckStatus::Warn, figure, detail)
    }

    /// A check that excludes the run from rankings.
    pub fn bad(
        id: &str,
        label: &str,
        figure: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(id, label, CheckStatus::Bad, figure, detail)
    }

    fn new(
        id: &str,
        label: &str,
        status: CheckStatus,
        figure: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            label: label.into(),
            figure: figure.into(),
            status,
            detail: detail.into(),
        }
    }
}

/// Latency of successful requests, milliseconds; none where nothing succeeded or the driver keeps none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Mean.
    pub avg: Option<f64>,
    /// Shortest.
    pub min: Option<f64>,
    /// Longest.
    pub max: Option<f64>,
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
}

/// Figures over the whole run: a row of `performance_metrics`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Requests sent.
    pub total_requests: i64,
    /// Requests that succeeded.
    pub successful_requests: i64,
    /// Requests that did not.
    pub failed_requests: i64,
    /// Iterations that could not start in time (arrival rate only).
    pub dropped_iterations: i64,
    /// Open model only, requests a second.
    pub intended_per_sec: Option<f64>,
    /// Successful requests a second of measured time.
    pub throughput_per_sec: f64,
    /// 0 to 1.
    pub error_rate: f64,
    /// Of successful requests.
    pub latency: Latency,
    /// By the generator, above TCP.
    pub bytes_sent: Option<i64>,
    /// By the generator, above TCP.
    pub bytes_received: Option<i64>,
    /// HdrHistogram V2, microseconds; left out of JSON.
    #[serde(skip)]
    pub histogram: Option<Vec<u8>>,
}

/// Figures of one phase: a row of `test_phases`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// From 1.
    pub phase_number: i32,
    /// E.g. `baseline`.
    pub phase_name: String,
    /// VUs or connections.
    pub target_vus: i32,
    /// When it began.
    #[serde(with = "rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    /// Seconds.
    pub duration_seconds: f64,
    /// Requests sent.
    pub total_requests: i64,
    /// Requests that succeeded.
    pub successful_requests: i64,
    /// Requests that did not.
    pub failed_requests: i64,
    /// See [`Performance::dropped_iterations`].
    pub dropped_iterations: i64,
    /// Successful requests a second.
    pub throughput_per_sec: f64,
    /// 0 to 1.
    pub error_rate: f64,
    /// Of successful requests.
    pub latency: Latency,
    /// By the generator, above TCP.
    pub bytes_sent: Option<i64>,
    /// By the generator, above TCP.
    pub bytes_received: Option<i64>,
    /// CPU-seconds of the target between the phase's boundaries.
    pub target_cpu_seconds: Option<f64>,
    /// CPU-seconds of the application database.
    pub database_cpu_seconds: Option<f64>,
    /// CPU-seconds of the generator.
    pub generator_cpu_seconds: Option<f64>,
    /// Anonymous resident memory of the target, mean, MiB.
    pub target_memory_avg_mb: Option<f64>,
    /// The same, highest sample, MiB.
    pub target_memory_peak_mb: Option<f64>,
    /// CPU of the target over the phase; 100 is one core.
    pub target_cpu_avg_percent: Option<f64>,
    /// The same, highest sample.
    pub target_cpu_peak_percent: Option<f64>,
    /// Taken by the hypervisor, all cores together, seconds.
    pub host_steal_seconds: Option<f64>,
}

/// Whose counters a sample holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The service under test.
    Target,
    /// The application database.
    Database,
    /// What makes the load.
    Generator,
    /// The whole machine.
    Host,
}

impl Role {
    /// All roles, in the order in which reports list them.
    pub const ALL: [Self; 4] = [Self::Target, Self::Database, Self::Generator, Self::Host];

    /// The word stored in `resource_metrics.role`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Database => "database",
            Self::Generator => "generator",
            Self::Host => "host",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| Error::UnknownValue {
                column: "resource_metrics.role",
                value: word.into(),
            })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Counters of one role at one moment: a row of `resource_metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceSample {
    /// Whose.
    pub role: Role,
    /// When the counters were read.
    #[serde(with = "rfc3339")]
    pub sampled_at: OffsetDateTime,
    /// Seconds since `measured_from`; negative during set-up and warm-up.
    pub elapsed_seconds: f64,
    /// k: taken for the end of phase k (0: start of phase 1); none between.
    pub boundary: Option<i32>,
    /// Cumulative; the host's: all cores, neither idle nor stolen.
    pub cpu_seconds: f64,
    /// Since the sample before; 100 is one core.
    pub cpu_percent: Option<f64>,
    /// Cumulative, host only.
    pub steal_seconds: Option<f64>,
    /// Cumulative, where a cgroup quota applies.
    pub throttled_seconds: Option<f64>,
    /// Anonymous resident memory, MiB.
    pub memory_used_mb: Option<f64>,
    /// MiB; none: no limit.
    pub memory_limit_mb: Option<f64>,
    /// Of the limit, or of the machine where there is none.
    pub memory_percent: Option<f64>,
    /// Cumulative; containers only.
    pub network_rx_bytes: Option<i64>,
    /// Cumulative; containers only.
    pub network_tx_bytes: Option<i64>,
}

impl ResourceSample {
    /// A sample of one role with nothing but its CPU counter.
    pub fn new(role: Role, sampled_at: OffsetDateTime, elapsed_seconds: f64) -> Self {
        Self {
            role,
            sampled_at,
            elapsed_seconds,
            boundary: None,
            cpu_seconds: 0.0,
            cpu_percent: None,
            steal_seconds: None,
            throttled_seconds: None,
            memory_used_mb: None,
            memory_limit_mb: None,
            memory_percent: None,
            network_rx_bytes: None,
            network_tx_bytes: None,
        }
    }
}
