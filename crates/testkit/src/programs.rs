//! Programs of the workspace that a test starts beside its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// A test of this crate. With a test among what is built, cargo takes the features that tests ask for: those that
/// `cargo test --workspace` has compiled. Without one, half of all crates would be compiled once more, for the same programs.
const A_TEST: &str = "dependencies";

/// Builds programs of the workspace into the folder of the test's own binaries, as new as their sources.
///
/// # Panics
/// They do not build.
pub fn build(programs: &[&str]) {
    // Several at once would only wait for each other in cargo.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _guard = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .args(["build", "--quiet", "--workspace", "--test", A_TEST]);
    if let Some(target) = target_folder() {
        command.arg("--target-dir").arg(target);
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    for program in programs {
        command.args(["--bin", program]);
    }
    let built = command.status().expect("cargo starts");
    assert!(built.success(), "{programs:?} do not build");
}

/// Where cargo was told to put this test: three folders above it, as in `target/debug/deps/it-0123`.
fn target_folder() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    Some(test.ancestors().nth(3)?.to_owned())
}
