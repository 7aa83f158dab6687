//! The binary, with the services beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
