//! What is asked of figures that are there already: in the metrics database, or in a file.
//!
//! - [`runs`]: `weir runs`, what the metrics database holds
//! - [`history`]: `weir history`, a figure of a target over its sessions
//! - [`judge`]: `weir judge`, the verdict over figures from any tool

pub mod history;
pub mod judge;
pub mod runs;
