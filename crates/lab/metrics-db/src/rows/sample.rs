//! Resource samples.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;

use crate::error::Error;

/// Whose counters a sample holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The service under test.
    Target,
    /// The application database.
    Database,
    /// What makes the load.
    Generator,
    /// The whole machine.
    Host,
}

impl Role {
    /// All roles, in the order in which reports list them.
    pub const ALL: [Self; 4] = [Self::Target, Self::Database, Self::Generator, Self::Host];

    /// The word stored in `resource_metrics.role`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Database => "database",
            Self::Generator => "generator",
            Self::Host => "host",
        }
    }

    pub(crate) fn parse(word: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| Error::UnknownValue {
                column: "resource_metrics.role",
                value: word.into(),
            })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Counters of one role at one moment: a row of `resource_metrics`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceSample {
    /// Whose.
    pub role: Role,
    /// When the counters were read.
    #[serde(with = "rfc3339")]
    pub sampled_at: OffsetDateTime,
    /// Seconds since `measured_from`; negative during set-up and warm-up.
    pub elapsed_seconds: f64,
    /// k: taken for the end of phase k (0: start of phase 1); none between.
    pub boundary: Option<i32>,
    /// Cumulative; the host's: all cores, neither idle nor stolen.
    pub cpu_seconds: f64,
    /// Since the sample before; 100 is one core.
    pub cpu_percent: Option<f64>,
    /// Cumulative, host only.
    pub steal_seconds: Option<f64>,
    /// Cumulative, where a cgroup quota applies.
    pub throttled_seconds: Option<f64>,
    /// Anonymous resident memory, MiB.
    pub memory_used_mb: Option<f64>,
    /// MiB; none: no limit.
    pub memory_limit_mb: Option<f64>,
    /// Of the limit, or of the machine where there is none.
    pub memory_percent: Option<f64>,
    /// Cumulative; containers only.
    pub network_rx_bytes: Option<i64>,
    /// Cumulative; containers only.
    pub network_tx_bytes: Option<i64>,
}

impl ResourceSample {
    /// A sample of one role with nothing but its CPU counter.
    pub fn new(role: Role, sampled_at: OffsetDateTime, elapsed_seconds: f64) -> Self {
        Self {
            role,
            sampled_at,
            elapsed_seconds,
            boundary: None,
            cpu_seconds: 0.0,
            cpu_percent: None,
            steal_seconds: None,
            throttled_seconds: None,
            memory_used_mb: None,
            memory_limit_mb: None,
            memory_percent: None,
            network_rx_bytes: None,
            network_tx_bytes: None,
        }
    }
}
