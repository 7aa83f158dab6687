//! An embedded PostgreSQL: a data directory of the lab's own, served on 127.0.0.1 while it is needed.
//!
//! - this file: the life of a server
//! - `spec`: the two clusters of a checkout
//! - `install`: its programs and its data directory

mod install;
mod spec;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;

use crate::child::{Spawned, tail};
use crate::port::free_port;
use crate::postgres::Programs;
use crate::server;
use crate::state::State;
use install::{check_version, init, programs};
use spec::{PASSWORD, USER};

pub use spec::{APPLICATION, Spec};

/// Crash recovery after a power cut may take this long.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What a client needs to connect to a server on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// TCP port.
    pub port: u16,
    /// Name of the database.
    pub database: &'a str,
    /// The superuser.
    pub user: &'static str,
    /// Its password.
    pub password: &'static str,
}

/// A running server. Dropping it asks it to stop; [`Cluster::stop`] also waits until it has.
#[derive(Debug)]
pub struct Cluster {
    process: Option<Spawned>,
    /// Port on 127.0.0.1.
    pub port: u16,
    database: String,
}

impl Cluster {
    /// Makes the data directory where there is none, starts the server, and waits until it answers.
    pub async fn start(state: &State, pg_bin: &Path, spec: &Spec<'_>) -> Result<Self> {
        let programs = programs(state, pg_bin).await?;
        let data = spec.data_dir(state);
        check_version(&programs, &data, spec)?;
        if !data.join("PG_VERSION").is_file() {
            init(state, &programs, &data, spec.name).await?;
        }
        stop_leftover(&data).await?;

        let mut wanted = Some(spec.preferred_port);
        loop {
            let port = free_port(wanted)?;
            let log = state.log(spec.name);
            let mut cluster = Self::launch(state, &programs, &data, spec, port)?;
            match cluster.wait_ready(&data).await {
                Ok(()) => {
                    cluster.create_database().await?;
                    return Ok(cluster);
                }
                // Somebody took the port after it was found free.
                Err(_) if wanted.is_some() && tail(&log, 5).contains("ould not bind") => {
                    wanted = None;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn launch(
        state: &State,
        programs: &Programs,
        data: &Path,
        spec: &Spec<'_>,
        port: u16,
    ) -> Result<Self> {
        let mut command = Command::from(programs.server(data, port));
        for setting in settings(state, data, spec)? {
            command.arg("-c").arg(setting);
        }
        let log = state.log(spec.name);
        // SIGINT is PostgreSQL's fast shutdown: sessions end, what is committed is written.
        let process = Spawned::start(spec.name, command, &log)?.with_stop_signal(Signal::SIGINT);
        let database = spec.database.into();
        Ok(Self {
            process: Some(process),
            port,
            database,
        })
    }

    /// `postgresql://` address of its database.
    pub fn url(&self) -> String {
        format!(
            "postgresql://{USER}:{PASSWORD}@127.0.0.1:{}/{}",
            self.port, self.database
        )
    }

    /// How a client connects to its database.
    #[must_use]
    pub fn login(&self) -> Login<'_> {
        Login {
            port: self.port,
            database: &self.database,
            user: USER,
            password: PASSWORD,
        }
    }

    /// Process id of the server's root process.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Spawned::pid)
    }

    /// Stops the server.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.stop(STOP_LIMIT).await?;
        }
        Ok(())
    }

    /// Lets the server go on after this value; the next session finds and stops it.
    pub fn leave_running(mut self) {
        if let Some(process) = self.process.take() {
            process.leave_running();
        }
    }

    async fn wait_ready(&mut self, data: &Path) -> Result<()> {
        let process = self.process.as_mut().context("the server was stopped")?;
        if server::ready(data, process, START_LIMIT).await? {
            return Ok(());
        }
        process.check_alive()
    }

    async fn create_database(&self) -> Result<()> {
        let mut config = tokio_postgres::Config::new();
        config
            .host("127.0.0.1")
            .port(self.port)
            .user(USER)
            .password(PASSWORD)
            .dbname("postgres")
            .connect_timeout(Duration::from_secs(5));
        server::create_database(&config, &self.database).await
    }
}

impl Drop for Cluster {
    /// Asks the server for a fast shutdown and does not wait: a destructor may run on an async thread. Whoever starts the
    /// cluster next waits until it is gone.
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.release();
        }
    }
}

/// Asks the server that works on a data directory for a fast shutdown, where one does. Does not wait.
pub fn ask_to_stop(state: &State, spec: &Spec<'_>) {
    let Some(pid) = served_by(&spec.data_dir(state)).filter(|pid| is_postgres(*pid)) else {
        return;
    };
    if let Err(error) = kill(pid, Signal::SIGINT) {
        tracing::debug!(%pid, %error, "the server could not be asked to stop");
    }
}

/// Waits until no server works on a data directory any more, at most `limit`.
pub async fn wait_until_stopped(state: &State, spec: &Spec<'_>, limit: Duration) {
    let path = spec.data_dir(state).join("postmaster.pid");
    let deadline = Instant::now() + limit;
    while path.exists() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process is PostgreSQL's: its number may have been given to another program since.
fn is_postgres(pid: Pid) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"))
        .ok()
        .or_else(|| {
            let pid = pid.to_string();
            let output = std::process::Command::new("ps")
                .args(["-o", "comm=", "-p", &pid])
                .output();
            Some(String::from_utf8_lossy(&output.ok()?.stdout).into_owned())
        });
    name.is_some_and(|name| name.contains("postgres"))
}

/// The process that `postmaster.pid` names, where there is such a file.
fn served_by(data: &Path) -> Option<Pid> {
    let file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: i32 = file.lines().next()?.trim().parse().ok()?;
    Some(Pid::from_raw(pid))
}

/// Stops the server of a cluster that was left running. The caller holds the state's lock.
///
/// # Errors
/// It does not stop.
pub async fn stop_running(state: &State, spec: &Spec<'_>) -> Result<()> {
    stop_leftover(&spec.data_dir(state)).await
}

/// A server that a killed session left behind. The caller holds the lock, so it is nobody else's.
async fn stop_leftover(data: &Path) -> Result<()> {
    let path = data.join("postmaster.pid");
    let Some(pid) = served_by(data) else {
        return Ok(());
    };
    if !is_postgres(pid) {
        return Ok(());
    }
    kill(pid, Signal::SIGINT).with_context(|| {
        format!("cannot stop the PostgreSQL left over from an earlier session (process {pid})")
    })?;
    let deadline = Instant::now() + STOP_LIMIT;
    while path.exists() {
        ensure!(
            Instant::now() < deadline,
            "the PostgreSQL of an earlier session (process {pid}) does not stop"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The newest line of a server's log that says why it lost connections or refused statements; a full disk before all
/// others, since the rest follows from it.
#[must_use]
pub fn trouble_in(log: &str) -> Option<String> {
    let lines = || log.lines().rev();
    let full = lines().find(|line| line.contains("No space left on device"));
    let broken = || {
        lines().find(|line| line.contains("PANIC:") || line.contains("FATAL:  the database system"))
    };
    match full {
        Some(line) => Some(format!(
            "the disk of the application database is full: {}",
            line.trim()
        )),
        None => broken().map(|line| format!("the application database says: {}", line.trim())),
    }
}

/// `name=value` settings of the server: those of the file, the buffer pool cut to a quarter of the memory.
fn settings(state: &State, data: &Path, spec: &Spec<'_>) -> Result<Vec<String>> {
    let Some(path) = &spec.settings else {
        return Ok(Vec::new());
    };
    let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    // PostgreSQL's account may not reach the repository, so the file goes beside the data.
    let copy = data.join("weir.conf");
    fs::write(&copy, text)?;
    state.give(&copy)?;
    let mut all = vec![format!("config_file={}", copy.display())];
    if let Some(memory) = crate::environment::memory_bytes() {
        let quarter_mb = memory / 4 / (1024 * 1024);
        if quarter_mb < 1024 {
            all.push(format!("shared_buffers={}MB", quarter_mb.max(16)));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_before_what_follows_from_it() {
        let log = "LOG:  checkpoint starting\n\
                   2026-01-01 PANIC:  could not write to file \"pg_wal/xlogtemp.7\": No space left on device\n\
                   FATAL:  the database system is in recovery mode\n";
        let said = trouble_in(log).unwrap();
        assert!(
            said.contains("disk of the application database is full") && said.contains("pg_wal"),
            "{said}"
        );
        let broken = trouble_in("FATAL:  the database system is shutting down\n").unwrap();
        assert!(broken.contains("shutting down"), "{broken}");
        assert_eq!(
            trouble_in("LOG:  checkpoint complete\nERROR:  deadlock detected\n"),
            None
        );
    }
}
