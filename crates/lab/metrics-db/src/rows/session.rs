//! Sessions.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::serde::rfc3339;

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
    /// What it was going to run, a JSON object; none where it cannot be resumed.
    #[serde(default)]
    pub plan: Option<Value>,
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
