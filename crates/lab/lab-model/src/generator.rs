//! The load generators.

use serde::{Deserialize, Serialize};

/// A load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// k6, with the target's script.
    K6,
    /// The lab's own program `benchmark`.
    Benchmark,
}

impl Driver {
    /// As the metrics database and the command line write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::K6 => "k6",
            Self::Benchmark => "benchmark",
        }
    }
}
