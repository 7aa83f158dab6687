//! Wrong usage of a program: arguments and settings that it refuses before it does anything. Every program ends with the
//! same exit status then, [`EXIT_USAGE`].

use std::ffi::OsString;
use std::fmt;

use clap::error::ErrorKind;

/// Exit status of wrong usage: `EX_USAGE` of sysexits.h. Not clap's 2, which for `weir judge` and `weir gate` is an answer.
///
/// `event-log` alone keeps 2: its command line was promised so.
pub const EXIT_USAGE: u8 = 64;

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

/// Parses the arguments of the process, or ends it: help and version with 0, wrong usage with [`EXIT_USAGE`].
pub fn parse<C: clap::Parser>() -> C {
    parse_from(std::env::args_os())
}

/// The same for other arguments than those of the process; the first one is the name of the program.
pub fn parse_from<C: clap::Parser>(arguments: impl IntoIterator<Item = OsString>) -> C {
    C::try_parse_from(arguments).unwrap_or_else(|error| exit(&error))
}

/// Prints what clap has to say and ends the process: help and version with 0, wrong usage with [`EXIT_USAGE`].
pub fn exit(error: &clap::Error) -> ! {
    // Where nobody reads it, the exit status tells.
    error.print().ok();
    std::process::exit(i32::from(status(error)))
}

/// Prints a problem as clap prints its own, and gives the status to end with.
#[must_use]
pub fn refuse(problem: impl fmt::Display) -> u8 {
    let error = clap::Error::raw(ErrorKind::ValueValidation, format!("{problem}\n"));
    error.print().ok();
    EXIT_USAGE
}

/// The exit status of what clap has to say.
#[must_use]
pub fn status(error: &clap::Error) -> u8 {
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    #[test]
    fn help_is_no_error_and_a_wrong_option_is() {
        let command = || Command::new("x").version("1").subcommand_required(true);
        let of = |argument: &str| {
            let error = command().try_get_matches_from(["x", argument]);
            status(&error.unwrap_err())
        };
        assert_eq!((of("--help"), of("--version")), (0, 0));
        assert_eq!((of("--bogus"), of("bogus")), (EXIT_USAGE, EXIT_USAGE));
        let missing = command().try_get_matches_from(["x"]).unwrap_err();
        assert_eq!(status(&missing), EXIT_USAGE);
    }

    #[test]
    fn a_condition_that_is_not_met_has_its_words() {
        assert_eq!(require(true, "x"), Ok(()));
        let refused = require(false, "--rate must be above 0").unwrap_err();
        assert_eq!(refused.to_string(), "--rate must be above 0");
    }
}
