//! Reads the counters of one thing at one moment.
//!
//! - [`table`]: all processes at one moment
//! - [`procfs`]: that table, and the machine, from `/proc` (Linux)
//! - [`ps`]: that table where there is no `/proc` (macOS)
//! - [`processes`]: the counters of a process tree
//! - [`docker`]: a container through the Docker API
//! - [`cgroup`]: the same container's counters in the kernel's files
//! - [`host`]: the machine

pub mod cgroup;
pub mod docker;
pub mod host;
pub mod processes;
pub mod procfs;
pub mod ps;
pub mod table;

use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a MiB, which the metrics database counts memory in.
pub const MIB: f64 = 1024.0 * 1024.0;

/// What was read; the CPU counter is always there, the rest where its source has it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counters {
    /// Cumulative.
    pub cpu_seconds: f64,
    /// Anonymous resident memory, MiB; none once the thing has ended.
    pub memory_used_mb: Option<f64>,
    /// MiB.
    pub memory_limit_mb: Option<f64>,
    /// Cumulative, taken by the hypervisor (host).
    pub steal_seconds: Option<f64>,
    /// Cumulative, held back by a cgroup quota.
    pub throttled_seconds: Option<f64>,
    /// Cumulative.
    pub network_rx_bytes: Option<u64>,
    /// Cumulative.
    pub network_tx_bytes: Option<u64>,
}

impl Counters {
    /// The last counters of a thing that has ended: what it used stays, its memory is gone.
    pub fn after_the_end(self) -> Self {
        Self {
            memory_used_mb: None,
            memory_limit_mb: None,
            ..self
        }
    }
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The process was not there when it was first looked for.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// A file under `/proc` or the output of `ps`.
    #[error("cannot read {what}: {reason}")]
    Unreadable {
        /// File or command.
        what: String,
        /// The system's message, or what was expected.
        reason: String,
    },
    /// The Docker engine.
    #[error("Docker: {0}")]
    Docker(#[from] bollard::errors::Error),
    /// The engine answered without figures.
    #[error("Docker has no figures for container {0}: is it running?")]
    NoFigures(String),
}

impl ProbeError {
    pub(crate) fn unreadable(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Unreadable {
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
