//! The disk of the event log: where this process may mount, a file system of a fixed size, which can be filled up.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::output::say;

/// Size of the file system.
const SIZE: &str = "size=1g";

/// Where the event log is.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes `folder`, a file system of its own where that is allowed.
    pub(crate) fn make(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        Ok(Self { folder, mounted })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Whether it is a file system of its own.
    pub(crate) fn is_mounted(&self) -> bool {
        self.mounted
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Takes all room that there is.
    pub(crate) fn take_all(&self) -> Result<()> {
        let mut filler = File::create(self.filler())?;
        for size in [1 << 20, 4096, 1] {
            let block = vec![0; size];
            loop {
                match filler.write_all(&block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back that was taken.
    pub(crate) fn give_back(&self) -> Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let unmounted = Command::new("umount").arg("-l").arg(&self.folder).status();
            if !unmounted.is_ok_and(|status| status.success()) {
                say(&format!("{} is still mounted", self.folder.display()));
            }
        }
    }
}
