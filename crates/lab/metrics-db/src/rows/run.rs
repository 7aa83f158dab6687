//! Runs and how far they have come.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::serde::rfc3339;

use super::check::{Audit, Check};
use crate::error::Error;

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
    /// Ids of the checks that failed; in rows from before checks were data, sentences.
    pub invalid_reasons: Vec<String>,
    /// Every check with its figure.
    pub checks: Vec<Check>,
    /// What was acknowledged and what is stored; none before the audit.
    pub audit: Option<Audit>,
    /// Rows, WAL bytes and checkpoints of the application database over the run.
    pub database_stats: Option<Value>,
    /// Figures that only this scenario has, e.g. events per stream; a JSON object.
    #[serde(default)]
    pub scenario_stats: Option<Value>,
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
