//! The lab's command, as a library so that its tests can reach into it.
//!
//! In reading order:
//!
//! - [`cli`], [`usage`]: arguments in; words out is the crate `lab-output`
//! - [`listing`]: what is measured, in which order, as the crate `lab-model` reads it from its files
//! - [`own`]: services of a user's own, by a `weir.toml`
//! - `access`: how targets are come to, as the command line says it
//! - `calibrate`, `ceiling`: what a generator reaches at most, and how close a run comes to that
//! - `criteria`: what a mode asks of its phases
//! - `forecast`: which difference a plan would find; `noise`: how far apart two equal targets seem to be
//! - [`run`]: a session, and the cells of its matrix under Docker or natively
//! - [`verify`], [`audit`]: the commands of the contract check and of the audit, which are the crate `lab-contract`
//! - [`generated`]: what a generator leaves, read by [`summary`] (k6) and `benchmark_result`
//! - [`judged`], [`import`], [`validity`]: from its figures to rows that can be trusted
//! - [`report`]: a session from the metrics database; what else is asked of it, and of figures from any tool, is the crate
//!   `lab-queries`
//! - [`gate`]: may a candidate replace a baseline
//! - [`db`]: the two databases outside of a session
//! - [`seed`], [`feed`]: the accounts and transactions that balance and stream are measured with
//!
//! Where services run and databases are found is the crate `lab-bench`; what the machine gives (PostgreSQL, processes,
//! compose, state) is `lab-host`.

mod access;
pub mod audit;
mod benchmark_result;
mod calibrate;
mod ceiling;
pub mod cli;
mod criteria;
pub mod db;
pub mod feed;
mod forecast;
pub mod gate;
pub mod generated;
pub mod import;
pub mod judged;
pub mod listing;
mod noise;
pub mod own;
pub mod report;
pub mod run;
pub mod seed;
mod session_id;
mod session_rows;
pub mod summary;
pub mod usage;
pub mod validity;
pub mod verify;

/// The program as verdict files name their source.
pub(crate) const TOOL: &str = concat!("weir ", env!("WEIR_VERSION"));

pub use lab_model::{modes, plan, scenario, targets};
pub use lab_output as output;
pub use lab_queries::{history, judge, runs};
