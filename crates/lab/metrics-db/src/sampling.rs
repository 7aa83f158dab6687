//! What is sampled while a run is on: written by `weir` into `test_runs.sampling`, read by `stats-sidecar`.

use serde::{Deserialize, Serialize};

/// The things to sample and the moments that must be hit exactly.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
#[serde(default)]
pub struct Sampling {
    /// The service under test; null where it is not on this machine.
    pub target: Option<Probe>,
    /// The application database (`postgres-large`).
    pub database: Option<Probe>,
    /// What makes the load.
    pub generator: Option<Probe>,
    /// Start of the first phase, microseconds since 1970; null while it is not known yet (the sidecar
    /// samples every second meanwhile and reads the row again). Best set a little ahead of the moment: a
    /// boundary that is already past when the sidecar reads it can only be interpolated.
    pub measured_from_us: Option<i64>,
    /// Phase boundaries in seconds from `measured_from_us`: 0.0 first, then the end of each phase.
    /// Boundary k is sampled at that moment whatever the one-second rhythm says.
    pub boundaries_s: Vec<f64>,
    /// Seconds between two samples; 1.0 unless set, never under 0.1.
    pub interval_s: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            target: None,
            database: None,
            generator: None,
            measured_from_us: None,
            boundaries_s: Vec::new(),
            interval_s: 1.0,
        }
    }
}

/// Where the counters of one sampled thing are.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Probe {
    /// A container by name or id, sampled through the Docker API.
    Container {
        /// Name or id.
        name: String,
    },
    /// A process and all its descendants, sampled through /proc (macOS: `ps`).
    Process {
        /// Process id of the root.
        pid: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_document_gets_the_defaults() {
        let sampling: Sampling =
            serde_json::from_str(r#"{"target":{"kind":"process","pid":7}}"#).expect("valid");
        assert_eq!(
            sampling,
            Sampling {
                target: Some(Probe::Process { pid: 7 }),
                ..Default::default()
            }
        );
        assert_eq!(sampling.interval_s, 1.0);
    }
}
