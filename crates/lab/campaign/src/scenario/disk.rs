//! A disk without room, and with room again: that of the event log. Where this process may mount, it is a file system of a fixed
//! size that is filled up; else a limit on the size of every file of the process stands for it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use load_engine::random::Random;

use super::{Done, pause};
use crate::world::{EVENT_LOG, World};

/// Size of the file system.
const SIZE: &str = "size=1g";
const BETWEEN: Duration = Duration::from_millis(500);
const LASTS: Duration = Duration::from_secs(2);

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

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    /// Takes all room that there is.
    fn take_all(&self) -> Result<()> {
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
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let unmounted = Command::new("umount").arg("-l").arg(&self.folder).status();
            if !unmounted.is_ok_and(|status| status.success()) {
                crate::run::say(&format!("{} is still mounted", self.folder.display()));
            }
        }
    }
}

pub(super) async fn fill(world: &mut World, random: &mut Random, done: &mut Done) -> Result<()> {
    pause(random, BETWEEN).await;
    if world.disk.mounted {
        world.disk.take_all()?;
        pause(random, LASTS).await;
        fs::remove_file(world.disk.filler())?;
    } else {
        let pid = world.services[EVENT_LOG]
            .pid()
            .context("the event log runs")?;
        limit(pid, "0")?;
        pause(random, LASTS).await;
        limit(pid, "unlimited")?;
    }
    done.recovered(world).await
}

/// Sets the limit on the size of files of a process.
fn limit(pid: u32, bytes: &str) -> Result<()> {
    let set = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={bytes}:")])
        .status()
        .context("prlimit (util-linux)")?;
    ensure!(set.success(), "prlimit: {set}");
    Ok(())
}
