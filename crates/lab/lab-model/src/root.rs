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
    #[error("no {} is found above {}: set WEIR_ROOT to the repository, or write a weir.toml for services of your own (weir init)", files::TARGETS, .0.display())]
    NotFound(PathBuf),
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
    let here = std::env::current_dir()?;
    let binary = std::env::current_exe().ok();
    let starts = [Some(here.as_path()), binary.as_deref()];
    nearest(starts.into_iter().flatten()).ok_or(RootError::NotFound(here))
}

/// The first directory that holds the list of targets, looking upwards from each starting point in turn.
fn nearest<'a>(starts: impl IntoIterator<Item = &'a Path>) -> Option<PathBuf> {
    let above = starts.into_iter().flat_map(Path::ancestors);
    let mut found = above.filter(|dir| dir.join(files::TARGETS).is_file());
    found.next().map(Path::to_path_buf)
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
        assert_eq!(nearest([below.as_path(), &elsewhere]), None);
        let far = put(&outer);
        assert_eq!(nearest([elsewhere.as_path(), &below]), Some(far));
        let (near, other) = (put(&inner), put(&elsewhere));
        assert_eq!(nearest([below.as_path(), &elsewhere]), Some(near));
        assert_eq!(nearest([elsewhere.as_path(), &below]), Some(other));
    }
}
