//! The environment of a child process: what the operating system needs, and what the child is given.

use std::process::Command;

use crate::variables::{Variables, inherited};

/// What passes through from the caller: where programs, libraries and temporary files are, and whether a panic says from
/// where. Settings of services, of PostgreSQL and of other tools do not: a variable of somebody's shell would change what
/// is measured or tested.
pub const PASSED: [&str; 7] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];

/// Takes everything but [`PASSED`] out of the environment of `command`. Comes before what it is given.
pub fn clean(command: &mut Command) -> &mut Command {
    command.env_clear();
    for name in PASSED {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// What is set of [`PASSED`], for the fingerprint of a session. HOME is left out: the lab gives its children one of its own.
#[must_use]
pub fn passed() -> Variables {
    let names = PASSED.into_iter().filter(|name| *name != "HOME");
    names
        .filter_map(|name| Some((name.to_owned(), inherited(name)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_what_it_is_given_and_nothing_of_the_caller_s() {
        // Cargo sets this for every test.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
        let mut command = Command::new("env");
        let output = clean(&mut command).env("GIVEN", "1").output().expect("env");
        let text = String::from_utf8(output.stdout).expect("text");
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split('=').next())
            .collect();
        assert!(
            names.contains(&"GIVEN") && names.contains(&"PATH"),
            "{text}"
        );
        let strange = names
            .iter()
            .find(|name| **name != "GIVEN" && !PASSED.contains(name));
        assert_eq!(strange, None);
    }
}
