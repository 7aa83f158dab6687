//! A child process that never outlives this one.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lab_host::server::Serving;
use load_engine::stop::Stop;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Child, Command};
use tokio::runtime::{Handle, RuntimeFlavor};

/// How a process is told to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signals {
    /// In good order.
    pub(crate) orderly: Signal,
    /// At once: the session was asked to stop, and nothing that the process has is kept.
    pub(crate) hurried: Signal,
}

/// A running process. Dropped, it is stopped. Should this process be killed without a chance to do so, a shell that waits
/// for the end of its own standard input does it.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    watchdog: Child,
    signals: Signals,
    stop: Stop,
}

/// Time to end in good order, and in a hurry.
const GRACE: Duration = Duration::from_secs(20);
const HURRIED_GRACE: Duration = Duration::from_millis(300);

impl Guarded {
    /// Starts `command`, out of reach of the terminal's Ctrl-C: the order of the ending is ours to decide.
    pub(crate) fn start(
        command: &mut Command,
        signals: Signals,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt;
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| anyhow::anyhow!("cannot start {program}: {error}"))?;
        let script = format!(
            "cat >/dev/null; kill -{} {pid}; sleep {}; kill -KILL {pid}",
            signals.orderly.as_str().trim_start_matches("SIG"),
            GRACE.as_secs(),
            pid = child.id()
        );
        let watchdog = Command::new("/bin/sh")
            .args(["-c", &script])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self {
            child,
            watchdog,
            signals,
            stop: stop.clone(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    fn tell(&self, signal: Signal) {
        // It may have ended by itself; waiting tells.
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).ok();
    }

    fn end(&mut self) -> std::io::Result<()> {
        let mut deadline = Instant::now() + GRACE;
        let mut hurried = false;
        if self.child.try_wait()?.is_none() && !self.stop.was_asked() {
            self.tell(self.signals.orderly);
        }
        while self.child.try_wait()?.is_none() {
            if self.stop.was_asked() && !hurried {
                hurried = true;
                deadline = Instant::now() + HURRIED_GRACE;
                self.tell(self.signals.hurried);
            }
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Before its standard input closes, so that it signals nobody: the number may be another's by then.
        self.watchdog.kill()?;
        self.watchdog.wait().map(drop)
    }
}

impl Serving for Guarded {
    fn pid(&self) -> u32 {
        Self::pid(self)
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        Self::ended(self)
    }
}

impl Drop for Guarded {
    /// Waits until the process has ended, since its folder is removed next. The runtime is told that this thread blocks: its
    /// tasks, which listen for signals, go on.
    fn drop(&mut self) {
        let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
        let ended = match flavor {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| self.end()),
            _ => self.end(),
        };
        // The watchdog remains where stopping fails.
        ended.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNALS: Signals = Signals {
        orderly: Signal::SIGTERM,
        hurried: Signal::SIGKILL,
    };

    #[test]
    fn a_dropped_process_is_gone() {
        let process =
            Guarded::start(Command::new("sleep").arg("60"), SIGNALS, &Stop::never()).unwrap();
        let pid = Pid::from_raw(process.pid().cast_signed());
        assert!(kill(pid, None).is_ok());
        drop(process);
        assert!(kill(pid, None).is_err());
    }

    #[test]
    fn one_that_ended_by_itself_is_noticed() {
        let mut process =
            Guarded::start(&mut Command::new("true"), SIGNALS, &Stop::never()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while process.ended().is_none() {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
    }
}
