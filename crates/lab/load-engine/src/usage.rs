//! Wrong usage: options that contradict each other or ask for the impossible, known before anything is connected. The
//! process then exits with 2, as for options that clap refuses.

use std::fmt;

/// What is wrong with the command line. Its text names the option and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(String);

impl Usage {
    /// An error whose text is `problem`.
    pub fn new(problem: impl fmt::Display) -> Self {
        Self(problem.to_string())
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Refuses what does not meet a condition.
///
/// # Errors
/// `otherwise`, when it is not met.
pub fn require(met: bool, otherwise: impl fmt::Display) -> Result<(), Usage> {
    if met {
        return Ok(());
    }
    Err(Usage::new(otherwise))
}
