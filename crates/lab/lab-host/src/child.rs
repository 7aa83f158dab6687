//! Child processes of the lab: each in a process group of its own, its output in a file, stopped for certain.
//!
//! By hand and not by `process-wrap`: of what that wraps, only the group is needed, which the standard library sets; what
//! this file is about (logs that are quoted in errors, a stop signal of the process's own, letting go of a database that
//! another command reads on) would stand around it all the same.
//!
//! A group of its own keeps the terminal's Ctrl-C away from the child: weir alone decides what stops, and in
//! which order.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdin, Command};

/// A started process. Dropping it kills its group.
#[derive(Debug)]
pub struct Spawned {
    name: String,
    child: Child,
    pid: u32,
    log: PathBuf,
    stop_signal: Signal,
    /// It goes on after this value.
    released: bool,
}

impl Spawned {
    /// Starts `command` with both outputs appended to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let errors = Self::open(log)?;
        command
            .stdin(Stdio::null())
            .stdout(errors.try_clone()?)
            .stderr(errors);
        Self::launch(name, command, log)
    }

    /// Starts `command` with its standard output written to `out`, what it says of itself appended to `log`, and an input that
    /// stays open for as long as the caller keeps it.
    pub fn start_with_input(
        name: &str,
        mut command: Command,
        out: File,
        log: &Path,
    ) -> Result<(Self, ChildStdin)> {
        command
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(Self::open(log)?);
        let mut started = Self::launch(name, command, log)?;
        let input = started.child.stdin.take();
        let input = input.with_context(|| format!("{name} has no standard input"))?;
        Ok((started, input))
    }

    /// The log, to be appended to.
    fn open(log: &Path) -> Result<File> {
        if let Some(directory) = log.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))
    }

    fn launch(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let program = command
            .as_std()
            .get_program()
            .to_string_lossy()
            .into_owned();
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name} ({program})"))?;
        let pid = child
            .id()
            .with_context(|| format!("{name} has no process id"))?;
        Ok(Self {
            name: name.into(),
            child,
            pid,
            log: log.into(),
            stop_signal: Signal::SIGTERM,
            released: false,
        })
    }

    /// What asks it to stop; SIGTERM unless set.
    pub fn with_stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// Process id, also that of its group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, where it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// An error that names the end and the last lines of the log, where the process has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.exited() {
            None => Ok(()),
            Some(status) => {
                let tail = tail(&self.log, 5);
                anyhow::bail!(
                    "{} ended ({status}); its log {} says:\n{tail}",
                    self.name,
                    self.log.display()
                )
            }
        }
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Asks it to stop, and kills its group when it has not after `grace`. True when it went by itself.
    pub async fn stop(mut self, grace: Duration) -> Result<bool> {
        if self.exited().is_some() {
            return Ok(true);
        }
        // ESRCH: it ended meanwhile, which is what is wanted.
        if kill(self.id(), self.stop_signal).is_err() {
            self.child.wait().await?;
            return Ok(true);
        }
        if let Ok(ended) = tokio::time::timeout(grace, self.child.wait()).await {
            ended?;
            self.kill_group();
            return Ok(true);
        }
        self.kill_group();
        self.child.wait().await?;
        Ok(false)
    }

    /// Asks it to stop and lets go of it: it ends in its own time, and nobody waits for it.
    pub fn release(mut self) {
        if self.exited().is_none()
            && let Err(error) = kill(self.id(), self.stop_signal)
        {
            tracing::debug!(process = self.name, %error, "it ended before it was asked to");
        }
        self.released = true;
    }

    /// Lets go of it without asking it to stop.
    pub fn leave_running(mut self) {
        self.released = true;
    }

    fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.pid).unwrap_or(i32::MAX))
    }

    /// What the process itself started may outlive it; the group goes as a whole.
    fn kill_group(&self) {
        if let Err(error) = killpg(self.id(), Signal::SIGKILL)
            && error != nix::Error::ESRCH
            && error != nix::Error::EPERM
        {
            tracing::warn!(process = self.name, %error, "could not kill the process group");
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if !self.released && self.exited().is_none() {
            self.kill_group();
        }
    }
}

/// The last `lines` lines of a file, or a word on why there are none.
pub fn tail(path: &Path, lines: usize) -> String {
    let Ok(bytes) = std::fs::read(path) else {
        return "(no log)".into();
    };
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    if all.is_empty() {
        return "(the log is empty)".into();
    }
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Standard output of a short command, trimmed; none where it fails or takes more than `limit`.
pub async fn output_of(program: &str, args: &[&str], limit: Duration) -> Option<String> {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(limit, command.output())
        .await
        .ok()?
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn a_process_that_ignores_the_signal_is_killed_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let script = "trap '' TERM; sleep 300 & echo child $!; while :; do sleep 0.1; done";
        let spawned = Spawned::start("stubborn", shell(script), &log).unwrap();
        let child = loop {
            if let Some(pid) = tail(&log, 1).strip_prefix("child ") {
                break pid.parse::<i32>().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let by_itself = spawned.stop(Duration::from_millis(200)).await.unwrap();
        assert!(!by_itself);
        // The grandchild is reaped by init, which may take a moment.
        for _ in 0..100 {
            let gone = match std::fs::read_to_string(format!("/proc/{child}/stat")) {
                Ok(stat) => stat.contains(") Z "),
                Err(_) => true,
            };
            if gone {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("process {child} survived");
    }

    #[tokio::test]
    async fn a_released_process_ends_by_itself_and_nobody_waits() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let script =
            "trap 'sleep 0.2; echo done; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        let spawned = Spawned::start("slow", shell(script), &log).unwrap();
        let until = async |word: &str| {
            while tail(&log, 1) != word {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until("ready"))
            .await
            .unwrap();
        spawned.release();
        assert_eq!(tail(&log, 1), "ready", "it was waited for");
        tokio::time::timeout(Duration::from_secs(20), until("done"))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut spawned = Spawned::start("brief", shell("echo no database; exit 3"), &log).unwrap();
        spawned.wait().await.unwrap();
        let error = spawned.check_alive().unwrap_err().to_string();
        assert!(
            error.contains("brief ended") && error.contains("no database"),
            "{error}"
        );
    }
}
