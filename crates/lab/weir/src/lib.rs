//! The lab's command, as a library so that its tests can reach into it.
//!
//! In reading order:
//!
//! - [`cli`], [`usage`], [`output`]: arguments in, words out
//! - [`listing`]: what is measured, in which order, as the crate `lab-model` reads it from its files
//! - `access`: how targets are come to, as the command line says it
//! - [`run`]: a session, and the cells of its matrix under Docker or natively
//! - [`verify`], [`audit`]: the commands of the contract check and of the audit, which are the crate `lab-contract`
//! - [`summary`], [`import`], [`validity`]: from k6's figures to rows that can be trusted
//! - [`runs`], [`report`], `history`: what is made of the metrics database
//! - [`judge`]: the verdict over figures from any tool; [`gate`]: may a candidate replace a baseline
//! - [`seed`], [`feed`]: the accounts and transactions that balance and stream are measured with
//!
//! Where services run and databases are found is the crate `lab-bench`; what the machine gives (PostgreSQL, processes,
//! compose, state) is `lab-host`.

mod access;
pub mod audit;
pub mod cli;
pub mod feed;
pub mod gate;
mod history;
pub mod import;
pub mod judge;
pub mod judged;
pub mod listing;
pub mod output;
pub mod report;
pub mod run;
pub mod runs;
pub mod seed;
mod session_id;
pub mod summary;
pub mod usage;
pub mod validity;
pub mod verify;

pub use lab_model::{modes, plan, scenario, targets};
