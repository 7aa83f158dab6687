//! Where the server's programs are, and as whom they run.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{User, geteuid};

use crate::watchdog::Ids;

/// The oldest PostgreSQL that will do.
const OLDEST: u32 = 15;

/// A folder with `initdb` and `postgres`.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    folder: PathBuf,
    /// What `postgres --version` prints.
    pub(super) version: String,
    /// As whom they run: PostgreSQL refuses to run as root.
    pub(super) ids: Option<Ids>,
}

impl Binaries {
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

/// The first folder that has a PostgreSQL new enough and accessible to the user that is to run it.
pub(super) fn find() -> Option<Binaries> {
    if std::env::var_os("TESTKIT_POSTGRES").is_some_and(|wanted| wanted == "docker") {
        return None;
    }
    let ids = unprivileged();
    candidates().into_iter().find_map(|folder| {
        let (version, major) = version(&folder)?;
        let usable = major >= OLDEST
            && folder.join("initdb").is_file()
            && ids.is_none_or(|_| is_world_accessible(&folder));
        usable.then_some(Binaries {
            folder,
            version,
            ids,
        })
    })
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("WEIR_PG_BIN")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if let Ok(tools) = std::fs::read_to_string(repository.join(".tools/env")) {
        folders.extend(
            tools
                .lines()
                .filter_map(|line| line.strip_prefix("WEIR_PG_BIN="))
                .map(|path| PathBuf::from(path.trim_matches('\''))),
        );
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(
            std::env::split_paths(&path).filter(|folder| folder.join("postgres").is_file()),
        );
    }
    let mut packaged: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    packaged.sort();
    folders.extend(packaged.into_iter().rev().map(|(_, folder)| folder));
    folders
}

/// `postgres (PostgreSQL) 18.6 ...` and 18.
fn version(folder: &Path) -> Option<(String, u32)> {
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    let number = text.split_whitespace().nth(2)?;
    let major = number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()?;
    Some((text, major))
}

/// Whether another user may enter every folder up to the root.
fn is_world_accessible(folder: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    folder.canonicalize().is_ok_and(|folder| {
        folder.ancestors().all(|ancestor| {
            ancestor
                .metadata()
                .is_ok_and(|metadata| metadata.permissions().mode() & 0o001 != 0)
        })
    })
}

/// Where this process is root: `postgres` if there is such a user, else `nobody`.
fn unprivileged() -> Option<Ids> {
    if !geteuid().is_root() {
        return None;
    }
    let user = ["postgres", "nobody"]
        .iter()
        .find_map(|name| User::from_name(name).ok().flatten());
    let user =
        user.expect("PostgreSQL does not run as root, and there is no user postgres or nobody");
    Some(Ids {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
    })
}
