//! PostgreSQL's programs, and how a server of one's own is made and started with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Account;
use crate::{child_environment, named};

/// The oldest major version that will do.
pub const OLDEST: u32 = 15;

/// `postgres` and `initdb` of one version, and as whom they run.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    /// What `postgres --version` prints: `postgres (PostgreSQL) 18.6`.
    pub version: String,
    /// The 18 of that.
    pub major: u32,
    /// As whom they run; `None` for the user of this process.
    pub account: Option<Account>,
}

/// A folder that cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A program is missing or does not run.
    #[error("{} has no PostgreSQL: there must be postgres and initdb that run (WEIR_PG_BIN names the folder)", .0.display())]
    Missing(PathBuf),
    /// It is too old.
    #[error("{} has {version}, but PostgreSQL {OLDEST} or later is needed (WEIR_PG_BIN names the folder)", folder.display())]
    TooOld {
        /// The folder.
        folder: PathBuf,
        /// What `postgres --version` prints.
        version: String,
    },
}

impl Programs {
    /// Those in `folder`, to be run as `account`.
    ///
    /// # Errors
    /// A program is missing there, or it is too old.
    pub fn at(folder: &Path, account: Option<Account>) -> Result<Self, Unusable> {
        let missing = || Unusable::Missing(folder.to_owned());
        if !folder.join("initdb").is_file() {
            return Err(missing());
        }
        let (version, major) = version(folder).ok_or_else(missing)?;
        if major < OLDEST {
            return Err(Unusable::TooOld {
                folder: folder.to_owned(),
                version,
            });
        }
        Ok(Self {
            folder: folder.to_owned(),
            version,
            major,
            account,
        })
    }

    /// The first of [`folders`] that is usable, and within reach of `account`.
    #[must_use]
    pub fn find(root: &Path, account: Option<Account>) -> Option<Self> {
        folders(root).iter().find_map(|folder| {
            // A link on the PATH: the programs look for their files beside themselves.
            let server = fs::canonicalize(folder.join("postgres")).ok()?;
            let folder = server.parent()?;
            let reachable = account.is_none() || crate::open_to_all(folder);
            reachable.then(|| Self::at(folder, account).ok()).flatten()
        })
    }

    /// The path of one of the programs.
    #[must_use]
    pub fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// `initdb` of the data directory `data`, in UTF-8 and locale C, with the superuser `user`. How users prove themselves is
    /// for the caller to add.
    #[must_use]
    pub fn initdb(&self, data: &Path, user: &str) -> Command {
        let mut command = self.command("initdb");
        command.arg("--pgdata").arg(data).args([
            "--username",
            user,
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        ]);
        command
    }

    /// A server of the data directory `data`, on `port` of 127.0.0.1 alone. Settings are for the caller to add, as
    /// `-c name=value`.
    #[must_use]
    pub fn server(&self, data: &Path, port: u16) -> Command {
        let mut command = self.command("postgres");
        command.arg("-D").arg(data);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            &format!("port={port}"),
        ] {
            command.args(["-c", setting]);
        }
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.path(program));
        // The caller's PGOPTIONS, PGDATA and so on would make it another server. A folder that the account may enter,
        // whatever the caller's is.
        child_environment::clean(&mut command)
            .current_dir("/")
            .stdin(Stdio::null());
        if let Some(account) = self.account {
            account.run(&mut command);
        }
        command
    }
}

/// Where programs of PostgreSQL may be, the best first: where `WEIR_PG_BIN` says (the environment, then `.tools/env` below
/// `root`), on the PATH, where Debian's packages put them.
#[must_use]
pub fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::from_iter(named::path(root, "WEIR_PG_BIN"));
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut packaged: Vec<(u32, PathBuf)> = packaged
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    packaged.sort_unstable();
    folders.extend(packaged.into_iter().rev().map(|(_, folder)| folder));
    folders
}

/// Whether the server with this process id is ready on its data directory. It writes its id into the first line of
/// `postmaster.pid`, and its state into the eighth; at its port somebody else may answer.
#[must_use]
pub fn is_ready(data: &Path, pid: u32) -> bool {
    let Ok(file) = fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = file.lines().map(str::trim);
    lines.next() == Some(&pid.to_string()) && lines.nth(6) == Some("ready")
}

/// `postgres (PostgreSQL) 18.6 ...` and 18.
fn version(folder: &Path) -> Option<(String, u32)> {
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    let number = text.split_whitespace().nth(2)?;
    let major = number.split(|c: char| !c.is_ascii_digit()).next()?;
    let major = major.parse().ok()?;
    Some((text, major))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for program in ["postgres", "initdb"] {
            let path = folder.path().join(program);
            fs::write(&path, format!("#!/bin/sh\necho '{version}'\n")).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our file");
        }
        folder
    }

    #[test]
    fn a_folder_is_looked_at_before_it_is_used() {
        let good = folder("postgres (PostgreSQL) 18.6 (Debian 18.6-1)");
        let programs = Programs::at(good.path(), None).expect("a PostgreSQL");
        assert_eq!(programs.major, 18);
        assert_eq!(programs.path("initdb"), good.path().join("initdb"));
        let old = folder("postgres (PostgreSQL) 14.9");
        let error = Programs::at(old.path(), None)
            .expect_err("too old")
            .to_string();
        let told = "postgres (PostgreSQL) 14.9, but PostgreSQL 15 or later is needed";
        assert!(error.contains(told), "{error}");
        for broken in [folder("nonsense"), tempfile::tempdir().expect("a folder")] {
            let error = Programs::at(broken.path(), None).expect_err("broken");
            assert!(matches!(error, Unusable::Missing(_)), "{error}");
        }
    }

    #[test]
    fn a_server_is_ready_when_its_own_file_says_so() {
        let data = tempfile::tempdir().expect("a folder");
        let says = |pid: u32, state: &str| {
            let text = format!("{pid}\n/data\n1\n5432\n\n127.0.0.1\n 1 2\n{state}   \n");
            fs::write(data.path().join("postmaster.pid"), text).expect("a file");
        };
        assert!(!is_ready(data.path(), 7));
        says(7, "starting");
        assert!(!is_ready(data.path(), 7));
        says(8, "ready");
        assert!(!is_ready(data.path(), 7));
        says(7, "ready");
        assert!(is_ready(data.path(), 7));
    }
}
