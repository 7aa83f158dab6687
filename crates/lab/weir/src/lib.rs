//! The lab's command, as a library so that its tests can reach into it.
//!
//! In reading order:
//!
//! - [`cli`], [`usage`], [`output`]: arguments in, words out
//! - [`listing`]: what is measured, in which order, as the crate `lab-model` reads it from its files
//! - [`run`]: a session, and the cells of its matrix under Docker or natively
//! - [`verify`], [`audit`], [`application_db`]: does a target keep the contract, and did it keep what it promised
//! - [`summary`], [`import`], [`validity`], [`environment`]: from k6's figures to rows that can be trusted
//! - [`metrics`], [`runs`], [`report`]: the metrics database and what is made of it
//! - [`seed`], [`feed`]: the accounts and transactions that balance and stream are measured with
//! - [`state`], [`tools`], [`cluster`], [`process`], [`http`]: what the machine has to offer

pub mod application_db;
pub mod audit;
pub mod cli;
pub mod cluster;
pub mod environment;
pub mod feed;
pub mod http;
pub mod import;
pub mod listing;
pub mod metrics;
pub mod output;
pub mod process;
pub mod report;
pub mod run;
pub mod runs;
pub mod seed;
pub mod state;
pub mod summary;
pub mod tools;
pub mod usage;
pub mod validity;
pub mod verify;

pub use lab_model::{modes, plan, scenario, targets};
