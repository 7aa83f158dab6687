//! The metrics database: connection, schema and typed rows of what the lab keeps.
//!
//! Only `weir`, `benchmark` and `stats-sidecar` use this crate; no service knows the metrics database.
//!
//! - [`config`]: `DB_HOST` and its companions, as flags and environment variables
//! - [`sampling`]: what `weir` tells `stats-sidecar` through `test_runs.sampling`
//! - [`rows`]: sessions, runs, performance, phases, resource samples as plain structs
//! - [`store`]: every statement (the only module that speaks SQL)

pub mod config;
pub mod rows;
pub mod sampling;
pub mod store;

pub use config::MetricsDbConfig;
pub use rows::{Check, Phase, Performance, ResourceSample, Role, Run, RunStatus, Session};
pub use sampling::{Probe, Sampling};
pub use store::Store;
