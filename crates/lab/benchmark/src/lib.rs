//! `benchmark`: a load generator for what k6 cannot do, light enough to share a machine with its target.
//!
//! - [`args`], [`aim`], [`target`], [`usage`]: the command line, a target by its name or address, and what is wrong
//!   with them
//! - [`work`]: what is asked: [`events`] to take in, [`accounts`] to answer for
//! - [`protocol`]: REST and gRPC behind one call
//! - [`load`]: threads, workers, the closed loop
//! - [`clock`], [`tally`], [`cpu`]: when, how many, at what cost
//! - [`command`]: the life of one `benchmark` run, with its [`progress`], [`stop`], [`summary`],
//!   [`criteria`], [`result`] and [`record`]
//! - [`stream`]: subscribers; [`log`]: the event log, in-process or over gRPC; both in place of [`load`]
//! - [`ending`]: exit statuses; [`handover`]: `benchmark ratios`, which is a program of its own now

pub mod accounts;
pub mod aim;
pub mod args;
pub mod clock;
pub mod command;
pub mod cpu;
pub mod criteria;
pub mod ending;
pub mod events;
pub mod handover;
pub mod load;
pub mod log;
pub mod measure;
pub mod output;
pub mod progress;
pub mod protocol;
pub mod random;
pub mod record;
pub mod requests;
pub mod result;
pub mod schedule;
pub mod stop;
pub mod stream;
pub mod summary;
pub mod tally;
pub mod target;
pub mod usage;
pub mod work;
