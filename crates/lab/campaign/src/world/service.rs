//! A service of the workspace as a process on fixed ports, so that clients find it again after a restart.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab_host::child::Spawned;
use lab_host::child_environment;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest graceful stop: SHUTDOWN_GRACE is 10 s.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How a service is started, again and again.
#[derive(Clone, Debug)]
pub(crate) struct Blueprint {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) http: u16,
    pub(crate) grpc: u16,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) log: PathBuf,
    /// Its working directory.
    pub(crate) folder: PathBuf,
}

#[derive(Debug)]
pub(crate) struct Service {
    blueprint: Blueprint,
    process: Option<Spawned>,
}

impl Service {
    pub(crate) fn start(blueprint: Blueprint) -> Result<Self> {
        let mut service = Self {
            blueprint,
            process: None,
        };
        service.start_again()?;
        Ok(service)
    }

    /// Starts it; it must not run.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        let it = &self.blueprint;
        // A limit on file sizes is a full disk only for a process that survives the signal which comes with it.
        let mut command = std::process::Command::new("/bin/sh");
        child_environment::clean(&mut command)
            .arg("-c")
            .arg(if it.name == "event-log" {
                "trap '' XFSZ; exec \"$0\" serve"
            } else {
                "exec \"$0\""
            })
            .arg(&it.program)
            .current_dir(&it.folder)
            .env("HOST", "127.0.0.1")
            .env("SERVER_PORT", it.http.to_string())
            .env("ADMIN_PORT", it.http.to_string())
            .env("GRPC_SERVER_PORT", it.grpc.to_string())
            .env("PERSISTED_COUNT_LOG_EVERY", "0")
            .env("LOG_LEVEL", "info")
            .env("RUST_BACKTRACE", "1")
            .envs(
                it.environment
                    .iter()
                    .map(|(name, value)| (*name, value.as_str())),
            );
        self.process = Some(Spawned::start(it.name, command.into(), &it.log)?);
        Ok(())
    }

    pub(crate) fn name(&self) -> &'static str {
        self.blueprint.name
    }

    pub(crate) fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    pub(crate) fn log(&self) -> &Path {
        &self.blueprint.log
    }

    pub(crate) fn http(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.blueprint.http).into()
    }

    pub(crate) fn grpc(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.blueprint.grpc).into()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Spawned::pid)
    }

    /// An error where it ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match &mut self.process {
            Some(process) => process.check_alive(),
            None => Ok(()),
        }
    }

    /// Kills it without a word.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.check_alive()?;
        if let Some(mut process) = self.process.take() {
            signal(process.pid(), Signal::SIGKILL)?;
            let status = process.wait().await?;
            ensure!(
                status.signal() == Some(9),
                "{} ended by itself: {status}",
                self.name()
            );
        }
        Ok(())
    }

    /// Asks it to stop and waits. An error where it did not end with status 0.
    pub(crate) async fn terminate(&mut self) -> Result<()> {
        self.check_alive()?;
        let name = self.name();
        if let Some(mut process) = self.process.take() {
            signal(process.pid(), Signal::SIGTERM)?;
            let ended = tokio::time::timeout(STOP_LIMIT, process.wait()).await;
            let status = ended.with_context(|| format!("{name} does not stop"))??;
            ensure!(status.success(), "{name} stopped with {status}");
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.stop(STOP_LIMIT).await?;
        }
        Ok(())
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?);
    kill(pid, signal).with_context(|| format!("{signal} to process {pid}"))
}
