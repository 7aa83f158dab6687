//! The engine of loads, and the loads of requests: light enough to share a machine with its target.
//!
//! - [`work`]: what is asked: [`events`] to take in, [`accounts`] to answer for, [`records`] to append, [`own`]
//!   requests
//! - [`protocol`]: REST and gRPC behind one call
//! - [`plan`]: what every load is told; [`load`]: a load while it is on, and the window in which it is measured;
//!   [`measure`] drives one, with its [`progress`] and its [`stop`]
//! - [`requests`]: threads, workers, the closed loop and the open one
//! - [`clock`], [`schedule`], [`tally`], [`cpu`]: when, how many, at what cost
//! - [`outcome`], [`criteria`], [`summary`], [`result`]: what came of any load, judged, for the eye and as JSON
//! - [`mod@usage`], [`ending`], [`output`]: what is wrong with the options, the exit statuses, where the lines go
//!
//! The loads of streams and of the event log are crates of their own above this one: `load-stream` and `load-log`.

pub mod accounts;
pub mod clock;
pub mod cpu;
pub mod criteria;
pub mod ending;
pub mod events;
pub mod load;
pub mod measure;
pub mod outcome;
pub mod output;
pub mod own;
pub mod plan;
pub mod progress;
pub mod protocol;
pub mod records;
pub mod requests;
pub mod result;
pub mod schedule;
pub mod stop;
pub mod summary;
pub mod tally;

pub use usage_error as usage;
pub mod work;
