//! The metrics database: connection, schema and typed rows of what the lab keeps.
//!
//! Only `weir`, `benchmark` and `stats-sidecar` use this crate; no service knows the metrics database.
//!
//! - [`config`]: `DB_HOST` and its companions, as flags and environment variables
//! - [`sampling`]: what `weir` tells `stats-sidecar` through `test_runs.sampling`
//! - [`rows`]: sessions, runs, performance, phases, resource samples as plain structs
//! - [`phases`]: resource samples and phase boundaries to figures per phase (pure)
//! - [`store`]: every statement (the only module that speaks SQL)

pub mod config;
pub mod error;
pub mod phases;
pub mod rows;
pub mod sampling;
pub mod store;

pub use config::MetricsDbConfig;
pub use error::{Error, Result};
pub use phases::{PhaseUsage, RoleUsage, phase_usage};
pub use rows::{
    Audit, Check, CheckStatus, CheckWords, Latency, NewRun, NewSession, Performance, Phase,
    ResourceSample, Role, Run, RunStatus, Session,
};
pub use sampling::{Probe, Sampling};
pub use store::{ApiSummary, RunFilter, RunWithPerformance, RunningRun, Store, Summary};
