//! Wrong arguments: what was wrong, and what would have been right. The process then exits with 64.

use std::fmt;

use crate::modes::Modes;
use crate::targets::Targets;

/// Exit status of wrong arguments (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// An argument that names nothing that exists. Its text is all that the user sees.
#[derive(Debug)]
pub struct UsageError(String);

impl UsageError {
    /// An error whose text is `problem` and the arguments that `weir run` knows.
    pub fn for_run(problem: &str, modes: &Modes, targets: &Targets) -> Self {
        Self(format!("{problem}\n\n{}", run_usage(modes, targets)))
    }

    /// An error whose text is `problem` alone.
    pub fn plain(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// The usage text of `weir run` with the valid values of its arguments.
pub fn run_usage(modes: &Modes, targets: &Targets) -> String {
    let names: Vec<&str> = targets.iter().map(|t| t.name.as_str()).collect();
    let defaults: Vec<&str> = targets
        .iter()
        .filter(|t| t.default)
        .map(|t| t.name.as_str())
        .collect();
    format!(
        "Usage: weir run MODE [TARGET[,TARGET]] [PAYLOAD[,PAYLOAD]] [OPTIONS]\n\
         \x20 modes:    {}\n\
         \x20 targets:  {}\n\
         \x20           '' or none: {}\n\
         \x20 payloads: {}\n\
         \x20           none: all of them\n\
         See 'weir run --help' for the options.",
        modes.names().join(", "),
        names.join(", "),
        defaults.join(", "),
        modes.payloads.join(", "),
    )
}
