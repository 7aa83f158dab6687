//! The binary, with the services beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../..")
        .canonicalize()
        .unwrap()
}

/// The command with these options, from the root of the checkout.
pub(crate) fn ratios() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ratios"));
    command
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Builds these packages, which puts their binaries beside that of `ratios`.
pub(crate) fn build(packages: &[&str]) {
    // Several tests at once would only wait for each other in cargo.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _guard = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet"]).current_dir(root());
    for package in packages {
        command.args(["-p", package]);
    }
    assert!(command.status().unwrap().success());
}
