//! The data directory that `initdb` made once, and copies of it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lab_host::Account;
use lab_host::postgres::Programs;

/// Makes `folder` a data directory: a copy of the template, which is made if it is not there.
pub(super) fn copy_to(folder: &Path, programs: &Programs) {
    let template = cache().join(name(programs));
    if !template.is_dir() {
        make(&template, programs);
    }
    copy(&template, folder, programs.account)
        .expect("a copy of the template of the data directory");
}

/// Makes `folder` the data directory of a standby: a copy of that of a server that is stopped.
pub(super) fn standby_of(primary: &Path, folder: &Path, owner: Option<Account>) -> io::Result<()> {
    copy(primary, folder, owner)?;
    let signal = folder.join("standby.signal");
    fs::write(&signal, "")?;
    give(&signal, owner)
}

/// One template for each version: `postgres-18-6`.
fn name(programs: &Programs) -> String {
    let version: String = programs
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

fn make(template: &Path, programs: &Programs) {
    // `initdb` may run as another user, who cannot enter the target directory.
    let folder = temporary_folder("weir-initdb-", programs.account);
    let data = folder.path().join("data");
    let mut command = programs.initdb(&data, "postgres");
    command.args(["--no-sync", "--auth=trust"]);
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
pub(super) fn temporary_folder(prefix: &str, account: Option<Account>) -> tempfile::TempDir {
    let parent = match account {
        Some(_) => PathBuf::from("/tmp"),
        None => std::env::temp_dir(),
    };
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(parent)
        .expect("a temporary folder");
    give(folder.path(), account).expect("a folder of the server's user");
    folder
}

fn copy(from: &Path, to: &Path, owner: Option<Account>) -> io::Result<()> {
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

fn give(path: &Path, owner: Option<Account>) -> io::Result<()> {
    owner.map_or(Ok(()), |account| account.own(path))
}
