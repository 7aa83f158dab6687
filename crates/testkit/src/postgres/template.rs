//! The data directory that `initdb` made once, and copies of it.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::binaries::Binaries;
use crate::watchdog::Ids;

/// Makes `folder` a data directory: a copy of the template, which is made if it is not there.
pub(super) fn copy_to(folder: &Path, binaries: &Binaries) {
    let template = cache().join(name(binaries));
    if !template.is_dir() {
        make(&template, binaries);
    }
    copy(&template, folder, binaries.ids).expect("a copy of the template of the data directory");
}

/// One template for each version: `postgres-18-6`.
fn name(binaries: &Binaries) -> String {
    let version: String = binaries
        .version
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("template-{version}")
}

/// Beside the test binary, in the target directory.
fn cache() -> PathBuf {
    let target = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.join("testkit")))
        .filter(|folder| fs::create_dir_all(folder).is_ok() && is_writable(folder));
    target.unwrap_or_else(|| {
        let folder = std::env::temp_dir().join(format!("weir-testkit-{}", nix::unistd::geteuid()));
        fs::create_dir_all(&folder).expect("a folder for the template");
        folder
    })
}

fn is_writable(folder: &Path) -> bool {
    tempfile::tempfile_in(folder).is_ok()
}

fn make(template: &Path, binaries: &Binaries) {
    // `initdb` may run as another user, who cannot enter the target directory.
    let folder = temporary_folder("weir-initdb-", binaries.ids);
    let data = folder.path().join("data");
    let mut command = Command::new(binaries.path("initdb"));
    command
        .args([
            "--no-sync",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
        ])
        .arg("--pgdata")
        .arg(&data)
        .current_dir("/");
    if let Some(ids) = binaries.ids {
        command.uid(ids.uid).gid(ids.gid);
    }
    let output = command.output().expect("initdb");
    assert!(
        output.status.success(),
        "initdb failed: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // Others may do the same at this moment: the first one to rename wins, the folder of the rest goes with `unfinished`.
    let unfinished = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempdir_in(cache())
        .expect("a folder");
    let copied = unfinished.path().join("data");
    copy(&data, &copied, None).expect("a copy of the new data directory");
    if let Err(error) = fs::rename(&copied, template) {
        assert!(
            template.is_dir(),
            "no template at {}: {error}",
            template.display()
        );
    }
}

/// A folder that the server's user owns, outside the repository, which that user may be unable to enter.
pub(super) fn temporary_folder(prefix: &str, ids: Option<Ids>) -> tempfile::TempDir {
    let parent = match ids {
        Some(_) => PathBuf::from("/tmp"),
        None => std::env::temp_dir(),
    };
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(parent)
        .expect("a temporary folder");
    if let Some(ids) = ids {
        chown(folder.path(), Some(ids.uid), Some(ids.gid)).expect("a folder of the server's user");
    }
    folder
}

fn copy(from: &Path, to: &Path, owner: Option<Ids>) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, owner)?;
        } else {
            fs::copy(entry.path(), &target)?;
            give(&target, owner)?;
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
    give(to, owner)
}

fn give(path: &Path, owner: Option<Ids>) -> io::Result<()> {
    owner.map_or(Ok(()), |ids| chown(path, Some(ids.uid), Some(ids.gid)))
}
