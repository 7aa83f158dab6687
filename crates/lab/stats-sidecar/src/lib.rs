//! Samples CPU, memory and network of the lab's processes or containers into the metrics database.
//!
//! The interface is the row in `test_runs`: while its status is `running`, what its `sampling` names is
//! sampled; when the status changes, a last sample is taken and the CSV written.
//!
//! - [`config`]: settings of the process
//! - [`sidecar`]: polls for running runs, one sampler a run
//! - [`sampler`]: the life of one run's sampling
//! - [`schedule`]: when the next sample is due (pure)
//! - [`probe`]: reads counters: `/proc`, `ps`, Docker, the machine
//! - [`writer`]: samples into the database, at the end the CSV
//! - [`metrics_csv`]: the CSV file of a run
//! - [`process`]: its life; [`health`]: the subcommand `health`

pub mod config;
pub mod health;
pub mod metrics_csv;
pub mod probe;
pub mod process;
pub mod sampler;
pub mod schedule;
pub mod sidecar;
pub mod writer;

pub use config::Config;
pub use sidecar::serve;

/// How the process calls itself in `pg_stat_activity`; `health` looks for it there.
pub const APPLICATION_NAME: &str = "stats-sidecar";
