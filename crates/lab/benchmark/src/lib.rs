//! `benchmark`: a load generator for what k6 cannot do, light enough to share a machine with its target.
//!
//! - [`args`], [`aim`], [`target`]: the command line, and a target by its name or address
//! - [`command`]: the life of one `benchmark` run, and its [`record`] in the metrics database, with what [`target_process`] saw
//! - [`clock`]: `benchmark clock`, by which weir compares the clocks of several generators
//! - [`handover`]: `benchmark ratios`, which is a program of its own now
//!
//! The loads are libraries: `load-engine` makes requests, `load-stream` subscribers, `load-log` operations of the event
//! log.

pub mod aim;
pub mod args;
pub mod clock;
pub mod command;
pub mod handover;
pub mod record;
pub mod target;
pub mod target_process;
