//! Processes of a session that was killed: noted by number and start time, stopped by the next session.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::state::State;

fn directory(state: &State) -> PathBuf {
    state.dir.join("processes")
}

/// Notes a started process.
pub fn record(state: &State, name: &str, pid: u32) -> Result<()> {
    let directory = directory(state);
    fs::create_dir_all(&directory)?;
    let path = directory.join(pid.to_string());
    let born = start_time(pid).unwrap_or_default();
    fs::write(&path, format!("{name}\n{born}\n")).with_context(|| format!("{}", path.display()))
}

/// Forgets all, since they have been stopped.
pub fn forget_all(state: &State) -> Result<()> {
    let directory = directory(state);
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    Ok(())
}

/// Stops what is noted and still alive. The caller holds the state's lock, so no session owns it.
pub async fn stop_all(state: &State) -> Result<()> {
    let Ok(entries) = fs::read_dir(directory(state)) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let noted = fs::read_to_string(entry.path()).unwrap_or_default();
        let born = noted.lines().nth(1).unwrap_or_default();
        // The number may have been given to another process since.
        if !born.is_empty() && start_time(pid).as_deref() == Some(born) {
            stop(pid).await;
        }
    }
    forget_all(state)
}

async fn stop(pid: u32) {
    let group = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
    for (signal, grace) in [(Signal::SIGTERM, 5), (Signal::SIGKILL, 5)] {
        if killpg(group, signal).is_err() {
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(grace);
        while Instant::now() < deadline {
            if killpg(group, None).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Start time of a process: field 22 of /proc/PID/stat, or what `ps` says.
fn start_time(pid: u32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold blanks; the fields after it begin with number 3.
        let after_name = stat.rsplit_once(") ")?.1;
        return after_name.split(' ').nth(19).map(str::to_owned);
    }
    let output = std::process::Command::new("ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::Spawned;

    #[tokio::test]
    async fn only_the_noted_process_is_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let state = State {
            dir: directory.path().into(),
            account: None,
        };
        let start = |name: &str| {
            let mut command = tokio::process::Command::new("sleep");
            command.arg("300");
            Spawned::start(name, command, &state.log(name)).unwrap()
        };
        let (mut ours, mut other) = (start("ours"), start("other"));
        record(&state, "ours", ours.pid()).unwrap();
        // A number that has been given to another process since it was noted.
        fs::write(
            state.dir.join("processes").join(other.pid().to_string()),
            "x\n1\n",
        )
        .unwrap();

        stop_all(&state).await.unwrap();
        ours.wait().await.unwrap();
        assert!(other.exited().is_none());
        assert!(!state.dir.join("processes").exists());
    }
}
