//! The directory of the store, held by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The file whose lock is held. Its content, the process id, is for people.
const LOCK_FILE: &str = "LOCK";

/// A directory that this process alone may write to, until the last clone of the `Arc` is dropped. The lock ends with the
/// process, however that ends.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process holds it.
    #[error("{} is in use by {}: one process at a time writes to a directory", path.display(), holder(*pid))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The id of the process that holds it, if the lock file contains one.
        pid: Option<u32>,
    },
    /// It cannot be made, or the lock file cannot be opened.
    #[error("{} cannot be used: {source}", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl Directory {
    /// Makes the directory if it is not there, and takes its lock.
    ///
    /// # Errors
    /// Another process holds it; or it cannot be used.
    pub fn lock(path: impl Into<PathBuf>) -> Result<Arc<Self>, DirectoryError> {
        let path = path.into();
        match Self::try_lock(&path) {
            Ok(Ok(lock)) => Ok(Arc::new(Self { path, _lock: lock })),
            Ok(Err(pid)) => Err(DirectoryError::InUse { path, pid }),
            Err(source) => Err(DirectoryError::Unusable { path, source }),
        }
    }

    /// The lock, or who has it.
    fn try_lock(path: &Path) -> io::Result<Result<Flock<File>, Option<u32>>> {
        if !path.is_dir() {
            fs::create_dir_all(path)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK_FILE))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // Only people read it, so that a full disk does not prevent the start.
                let noted = lock.set_len(0);
                drop(noted.and_then(|()| writeln!(*lock, "{}", std::process::id())));
                Ok(Ok(lock))
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut text = String::new();
                // The process that holds the lock may not have written its id yet.
                let read = file.read_to_string(&mut text);
                Ok(Err(read.ok().and_then(|_| text.trim().parse().ok())))
            }
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes the names of files made, renamed or removed in `path` durable.
///
/// # Errors
/// The directory cannot be opened or synced.
pub fn sync_names(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/log");
        let held = Directory::lock(&path).expect("the first");
        let refused = Directory::lock(&path).expect_err("the second").to_string();
        assert!(refused.contains(&path.display().to_string()), "{refused}");
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(held);
        Directory::lock(&path).expect("free again");
    }
}
