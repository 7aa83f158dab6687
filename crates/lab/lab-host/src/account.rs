//! As whom PostgreSQL runs.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{User, geteuid};

/// An unprivileged account of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// A machine on which root finds nobody to run PostgreSQL.
#[derive(Debug, thiserror::Error)]
#[error(
    "PostgreSQL does not run as root, and this machine has neither a user 'postgres' nor 'nobody'"
)]
pub struct NobodyElse;

impl Account {
    /// Who runs PostgreSQL for this process: `None` for its own user; for root `postgres` if there is such a user, else
    /// `nobody`.
    ///
    /// # Errors
    /// There is neither.
    pub fn for_postgres() -> Result<Option<Self>, NobodyElse> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let found = ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok().flatten());
        let user = found.ok_or(NobodyElse)?;
        Ok(Some(Self {
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }))
    }

    /// Lets `command` run as this account.
    pub fn run(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Makes it the owner of a file or folder.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn own(self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }
}

/// Whether every user can walk down to `path`.
#[must_use]
pub fn open_to_all(path: &Path) -> bool {
    path.ancestors().all(|folder| match fs::metadata(folder) {
        Ok(found) => found.permissions().mode() & 0o001 != 0,
        // The end of a relative path.
        Err(_) => folder.as_os_str().is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn a_closed_folder_on_the_way_is_seen() {
        let outer = tempfile::tempdir().expect("a folder");
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).expect("a folder");
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("our folder");
        };
        allow(outer.path(), 0o755);
        allow(&inner, 0o755);
        assert!(open_to_all(&inner));
        allow(outer.path(), 0o700);
        assert!(!open_to_all(&inner));
    }
}
