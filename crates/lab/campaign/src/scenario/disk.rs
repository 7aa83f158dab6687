//! A disk without room, and with room again: that of the event log. Where this process may mount, it is a file system of a fixed
//! size that is filled up; else a limit on the size of every file of the process stands for it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab_verdict::random::SplitMix64;

use super::done::{Done, pause};
use crate::world::{EVENT_LOG, World};

const BETWEEN: Duration = Duration::from_millis(500);
const LASTS: Duration = Duration::from_secs(2);

pub(super) async fn fill(
    world: &mut World,
    random: &mut SplitMix64,
    done: &mut Done,
) -> Result<()> {
    pause(random, BETWEEN).await;
    if world.disk.is_mounted() {
        world.disk.take_all()?;
        pause(random, LASTS).await;
        world.disk.give_back()?;
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
