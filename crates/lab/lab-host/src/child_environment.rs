//! The environment of a child process: what the operating system needs, and what the child is given.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
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
        if let Some(value) = env::var_os(name).and_then(|value| without_cargos(name, value)) {
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
        .filter_map(|name| {
            let value = without_cargos(name, inherited(name)?.into())?;
            Some((name.to_owned(), value.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Without the folders that cargo puts in front of the search path of libraries of a program that it runs: those of its build
/// and of the toolchain. They differ from build to build, so two sessions would differ in their fingerprints for nothing; a child
/// is linked without them. None where nothing is left.
fn without_cargos(name: &str, value: OsString) -> Option<OsString> {
    let is_of_libraries = matches!(name, "LD_LIBRARY_PATH" | "DYLD_LIBRARY_PATH");
    if !is_of_libraries || env::var_os("CARGO_MANIFEST_DIR").is_none() {
        return Some(value);
    }
    let rustup = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let rustup = rustup.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".rustup")));
    let folders: Vec<PathBuf> = [build_folder(), rustup].into_iter().flatten().collect();
    without(&value, &folders)
}

/// The folder of cargo's that this program is in: `release` for `target/release/weir` and `target/release/deps/a_test`.
fn build_folder() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folder = program.parent()?;
    match folder.ends_with("deps") {
        true => folder.parent().map(Path::to_owned),
        false => Some(folder.to_owned()),
    }
}

/// The search path without what lies in `folders`; none where nothing is left.
fn without(value: &OsStr, folders: &[PathBuf]) -> Option<OsString> {
    let is_kept = |path: &PathBuf| !folders.iter().any(|folder| path.starts_with(folder));
    let kept = env::join_paths(env::split_paths(value).filter(is_kept)).ok()?;
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_the_build_are_not_passed_on() {
        let folders = ["/src/target/release".into(), "/home/me/.rustup".into()];
        let kept = |value: &str| without(OsStr::new(value), &folders);
        let of_cargo = "/src/target/release/build/x-1/out:/src/target/release/deps:/home/me/.rustup/toolchains/stable/lib";
        assert_eq!(kept(of_cargo), None);
        let with_own = format!("{of_cargo}:/opt/lib:/usr/local/lib");
        assert_eq!(kept(&with_own), Some("/opt/lib:/usr/local/lib".into()));
        // Cargo runs this test, and puts its folders in.
        let passed = passed().get("LD_LIBRARY_PATH").cloned().unwrap_or_default();
        assert!(!passed.contains("/deps"), "{passed}");
    }

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
