//! Rebuilds when a migration is added (without this a new file is silently not embedded), and puts the commit into
//! the version.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../../postgres/migrations/balance");
    println!("cargo::rerun-if-changed=../../../postgres/migrations/stream");
    println!("cargo::rerun-if-env-changed=GIT_COMMIT");
    let version = env!("CARGO_PKG_VERSION");
    let named = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=WEIR_VERSION={named}");
}

/// The commit of the checkout, or what `GIT_COMMIT` says where there is no repository, as in an image.
fn commit() -> Option<String> {
    let given = std::env::var("GIT_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty() && commit != "unknown");
    if given.is_some() {
        return given;
    }
    // The file that moves with each commit: HEAD, or the branch that it names. Cargo would rebuild each time for a file
    // that is not there, as a packed reference.
    for name in [
        "HEAD",
        &git(&["symbolic-ref", "-q", "HEAD"]).unwrap_or_default(),
    ] {
        if let Some(file) =
            git(&["rev-parse", "--git-path", name]).filter(|f| Path::new(f).is_file())
        {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
