//! What is known of one run: from what its generator left and what was sampled, to figures, checks and validity. It starts nothing,
//! and asks the metrics database for samples and ceilings alone.
//!
//! In reading order:
//!
//! - [`generated`]: what a generator leaves, read by [`summary`] (k6) and [`benchmark_result`]
//! - [`ceiling`]: what a generator reaches at most, and how close a run comes to that
//! - [`criteria`]: what a mode asks of its phases
//! - [`validity`]: whether a run may be believed
//! - [`judged`]: all of that together, and stored

pub mod benchmark_result;
pub mod ceiling;
pub mod criteria;
pub mod generated;
pub mod judged;
pub mod summary;
pub mod validity;
