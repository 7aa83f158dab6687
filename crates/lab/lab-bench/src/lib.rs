//! The lab's bench: where a session's services run, in containers or as processes, and where the two databases are found.
//! It takes values (a target, a job of the generator) and gives values (addresses, probes, descriptions); it knows no
//! session, no command line and no verdict.
//!
//! In reading order:
//!
//! - [`backend`]: one of the two runtimes, [`docker`] or [`native`]; both offer the same
//! - [`started`], `settings`: what a runtime hands out, what services are told
//! - [`k6`], [`benchmark`]: one run of either generator; [`generators`]: one of several `benchmark`s together
//! - [`metrics`], [`application`]: the two databases for commands outside a session; `readers`: sessions wait for those
//! - [`progress`]: what the user sees meanwhile

pub mod application;
pub mod backend;
pub mod benchmark;
pub mod docker;
mod found;
pub mod generators;
pub mod k6;
pub mod metrics;
pub mod native;
pub mod progress;
mod readers;
mod settings;
pub mod started;
