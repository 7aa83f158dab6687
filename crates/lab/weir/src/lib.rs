//! The lab's command, as a library so that its tests can reach into it.
//!
//! In reading order:
//!
//! - [`cli`], [`usage`]: arguments in; words out is the crate `lab-output`
//! - [`listing`]: what is measured, in which order, as the crate `lab-model` reads it from its files
//! - [`own`]: services of a user's own, by a `weir.toml`
//! - `access`: how targets are come to, as the command line says it
//! - `calibrate`: what a generator reaches at most
//! - `forecast`: which difference a plan would find; `noise`: how far apart two equal targets seem to be
//! - [`run`]: a session, and the cells of its matrix under Docker or natively
//! - [`verify`], [`audit`]: the commands of the contract check and of the audit, which are the crate `lab-contract`
//! - [`import`]: k6 summaries of manual runs; from figures to rows that can be trusted is the crate `lab-trial`
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
mod calibrate;
pub mod cli;
pub mod db;
pub mod feed;
mod forecast;
pub mod gate;
pub mod import;
pub mod listing;
mod noise;
pub mod own;
pub mod report;
pub mod run;
pub mod seed;
mod session_id;
mod session_rows;
pub mod usage;
pub mod verify;

/// The program as verdict files name their source.
pub(crate) const TOOL: &str = concat!("weir ", env!("WEIR_VERSION"));

pub use lab_model::{modes, plan, scenario, targets};
pub use lab_output as output;
pub use lab_queries::{history, judge, runs};
