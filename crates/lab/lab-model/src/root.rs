//! The repository that the lab belongs to: where the targets, scripts and results are.

use std::path::{Path, PathBuf};

use crate::files;

/// A repository that cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// `WEIR_ROOT` names a folder without the list of targets.
    #[error("WEIR_ROOT={} has no {}", .0.display(), files::TARGETS)]
    Named(PathBuf),
    /// No folder above the starting points has one.
    #[error("{}: set WEIR_ROOT to the repository, or write a weir.toml for services of your own (weir init)", not_above(.0))]
    NotFound(Vec<PathBuf>),
    /// The working directory is gone or closed.
    #[error("the working directory cannot be read: {0}")]
    Here(#[from] std::io::Error),
}

/// `WEIR_ROOT`, else the nearest directory above the working directory, else above the binary, that holds
/// `load-test/targets.toml`.
///
/// # Errors
/// There is none; the error says where it was looked for.
pub fn find() -> Result<PathBuf, RootError> {
    if let Some(named) = std::env::var_os("WEIR_ROOT").filter(|v| !v.is_empty()) {
        let root = std::path::absolute(named)?;
        if !root.join(files::TARGETS).is_file() {
            return Err(RootError::Named(root));
        }
        return Ok(root);
    }
    let mut starts = vec![std::env::current_dir()?];
    starts.extend(std::env::current_exe().ok());
    nearest(&starts).ok_or(RootError::NotFound(starts))
}

/// Says that no folder above these starting points has the list of targets.
#[must_use]
pub fn not_above(starts: &[PathBuf]) -> String {
    let starts: Vec<_> = starts.iter().map(|it| it.display().to_string()).collect();
    let starts = starts.join(" or ");
    format!("no {} is found above {starts}", files::TARGETS)
}

/// The first directory that holds the list of targets, looking upwards from each starting point in turn.
fn nearest(starts: &[PathBuf]) -> Option<PathBuf> {
    let mut above = starts.iter().flat_map(|start| start.ancestors());
    let found = above.find(|dir| dir.join(files::TARGETS).is_file());
    found.map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_list_of_the_first_start_counts() {
        let folder = tempfile::tempdir().unwrap();
        let put = |dir: &Path| {
            std::fs::create_dir_all(dir.join("load-test")).unwrap();
            std::fs::write(dir.join(files::TARGETS), "").unwrap();
            dir.to_owned()
        };
        let (outer, inner) = (folder.path().join("a"), folder.path().join("a/b/c"));
        let (below, elsewhere) = (inner.join("d/e"), folder.path().join("elsewhere"));
        let (below_first, elsewhere_first) = (
            [below.clone(), elsewhere.clone()],
            [elsewhere.clone(), below.clone()],
        );
        assert_eq!(nearest(&below_first), None);
        let looked = format!("{} or {}", below.display(), elsewhere.display());
        assert!(not_above(&below_first).ends_with(&looked));
        let far = put(&outer);
        assert_eq!(nearest(&elsewhere_first), Some(far));
        let (near, other) = (put(&inner), put(&elsewhere));
        assert_eq!(nearest(&below_first), Some(near));
        assert_eq!(nearest(&elsewhere_first), Some(other));
    }
}
