//! The repository that weir belongs to: where the targets, scripts and results are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::targets::TARGETS_FILE;

/// `WEIR_ROOT`, else the nearest directory above the working directory, else above the binary, that holds
/// `load-test/targets.toml`.
pub fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("WEIR_ROOT").filter(|v| !v.is_empty()) {
        let root = std::path::absolute(named)?;
        anyhow::ensure!(
            root.join(TARGETS_FILE).is_file(),
            "WEIR_ROOT={} has no {TARGETS_FILE}",
            root.display()
        );
        return Ok(root);
    }
    let here = std::env::current_dir().context("the working directory cannot be read")?;
    let binary = std::env::current_exe().ok();
    for start in [Some(here.as_path()), binary.as_deref()]
        .into_iter()
        .flatten()
    {
        if let Some(root) = above(start) {
            return Ok(root);
        }
    }
    bail!(
        "no {TARGETS_FILE} is found above {}: set WEIR_ROOT to the repository",
        here.display()
    )
}

fn above(start: &Path) -> Option<PathBuf> {
    start
        .ancestors()
        .find(|dir| dir.join(TARGETS_FILE).is_file())
        .map(Path::to_path_buf)
}
