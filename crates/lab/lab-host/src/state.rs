//! Where native runs keep their state, which tools they use, and who owns the database files.
//!
//! The state directory is `.weir/` at the repository root. PostgreSQL refuses to run as root, so root hands
//! its data directories to an unprivileged account; where that account cannot reach the repository (a clone
//! under /root), the state lies in `/var/tmp/weir-<uid>-<hash of the root's path>` instead.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{Uid, geteuid};
use sha2::{Digest, Sha256};

use crate::{Account, open_to_all};

/// The state of one checkout on this machine.
#[derive(Clone, Debug)]
pub struct State {
    /// The directory, created and writable.
    pub dir: PathBuf,
    /// Who runs PostgreSQL; none: the calling user.
    pub account: Option<Account>,
}

impl State {
    /// Finds and creates the state directory of the checkout at `root`.
    pub fn open(root: &Path) -> Result<Self> {
        let me = geteuid();
        let account = Account::for_postgres()?;
        let preferred = root.join(".weir");
        let dir = if (account.is_none() || open_to_all(root)) && usable(&preferred, me) {
            preferred
        } else {
            let name = format!("weir-{me}-{}", short_hash(root));
            Path::new("/var/tmp").join(name)
        };
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let owner = fs::metadata(&dir)?.uid();
        ensure!(
            owner == me.as_raw(),
            "{} belongs to user {owner}, not to you (user {me}): remove it or let its owner run the lab",
            dir.display()
        );
        fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
        Ok(Self { dir, account })
    }

    /// A file for the output of something that the lab starts.
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// Keeps other sessions of this checkout away for as long as the file is open.
    pub fn lock(&self) -> Result<File> {
        let path = self.dir.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => bail!(
                "another session of this checkout is running (it holds {}): two at once would measure each other",
                path.display()
            ),
            Err(fs::TryLockError::Error(error)) => {
                Err(error).context(format!("{}", path.display()))
            }
        }
    }

    /// True where a session of this checkout is on.
    pub fn is_locked(&self) -> bool {
        let file = File::open(self.dir.join("lock"));
        file.is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
    }

    /// A directory that belongs to PostgreSQL's account and to nobody else.
    pub fn private_dir(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
        self.give(path)
    }

    /// Hands a file or directory to PostgreSQL's account.
    pub fn give(&self, path: &Path) -> Result<()> {
        if let Some(account) = &self.account {
            account.own(path).with_context(|| {
                format!("cannot hand {} to user {}", path.display(), account.uid)
            })?;
        }
        Ok(())
    }
}

/// True where `dir` can be made, or is there and belongs to `me`.
fn usable(dir: &Path, me: Uid) -> bool {
    match fs::metadata(dir) {
        Ok(meta) => meta.is_dir() && meta.uid() == me.as_raw(),
        Err(_) => fs::create_dir(dir).is_ok(),
    }
}

/// Eight hexadecimal digits that stand for a path.
fn short_hash(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_session_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let state = State {
            dir: root.path().into(),
            account: None,
        };
        assert!(!state.is_locked());
        let held = state.lock().unwrap();
        assert!(state.is_locked());
        let error = state.lock().unwrap_err().to_string();
        assert!(error.contains("another session"), "{error}");
        drop(held);
        state.lock().unwrap();
    }
}
