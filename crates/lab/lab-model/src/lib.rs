//! What the lab measures: targets, modes, and the plan of a session. Reads its two files and nothing else.
//!
//! In reading order:
//!
//! - [`files`], [`root`]: where the lab's files are below the repository root
//! - [`scenario`], [`targets`], [`endpoint`], [`access`], [`modes`]: the kinds of work, who does it, where they listen, what a
//!   client shows there, under which load
//! - [`generator`], [`driver`]: what makes load, and which of them makes that of a target; [`generators`]: several machines that
//!   make it together; [`distance`]: the network on its way
//! - [`judging`]: what is named before the first round, and the rounds that are repeated
//! - [`plan`]: the cells of a session in their running order
//! - [`seeded`], [`bounds`], [`allowance`]: the data that balance and stream are measured with, the bounds of a trustworthy run, and
//!   what each part of it may use
//! - [`error`]: what is wrong with a file or a request

pub mod access;
pub mod allowance;
pub mod bounds;
pub mod distance;
pub mod driver;
pub mod endpoint;
pub mod error;
pub mod files;
pub mod generator;
pub mod generators;
pub mod judging;
pub mod modes;
pub mod plan;
pub mod root;
pub mod scenario;
pub mod seeded;
pub mod targets;
