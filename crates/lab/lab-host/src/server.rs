//! A PostgreSQL server of one's own, from an empty folder until it takes statements. Sessions, `ratios` and `campaign` start
//! theirs with these steps. Who holds the process, and how it ends, is theirs: the server of a session may outlive a command,
//! that of `ratios` must not, that of `campaign` is killed on purpose.

use std::fs::{self, File};
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;
use tokio_postgres::{Client, Config, NoTls};

use crate::child::{Spawned, tail};
use crate::postgres::{Programs, is_ready};

/// How often it is looked whether a server is ready.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process that serves a data directory.
pub trait Serving {
    /// Its process id.
    fn pid(&self) -> u32;

    /// How it ended, where it has.
    fn ended(&mut self) -> Option<ExitStatus>;
}

impl Serving for Spawned {
    fn pid(&self) -> u32 {
        Self::pid(self)
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.exited()
    }
}

/// Makes a data directory of the empty folder `data`, which belongs to PostgreSQL's account, with the superuser `user`.
/// `options` are further ones of `initdb`, such as how users prove themselves. What it prints goes to `log`.
///
/// # Errors
/// `initdb` cannot be started or fails; the error has the last lines of the log.
pub async fn make(
    programs: &Programs,
    data: &Path,
    user: &str,
    options: &[&str],
    log: &Path,
) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::from(programs.initdb(data, user));
    command
        .args(options)
        .stdout(out.try_clone()?)
        .stderr(out)
        .kill_on_drop(true);
    let status = command.status().await;
    let status = status.with_context(|| programs.path("initdb").display().to_string())?;
    ensure!(
        status.success(),
        "initdb failed ({status}):\n{}",
        tail(log, 8)
    );
    Ok(())
}

/// Waits until the server `process` takes connections for the data directory `data`: on its port another one may answer. False
/// where it ended instead; its log says why.
///
/// # Errors
/// It is not ready within `limit`.
pub async fn ready(data: &Path, process: &mut impl Serving, limit: Duration) -> Result<bool> {
    let deadline = Instant::now() + limit;
    while !is_ready(data, process.pid()) {
        if process.ended().is_some() {
            return Ok(false);
        }
        ensure!(
            Instant::now() < deadline,
            "PostgreSQL was not ready within {} s",
            limit.as_secs()
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(true)
}

/// Makes the database `name`, where it is missing, over a connection with the settings `config`.
///
/// # Errors
/// Those of the connection and of the statement.
pub async fn create_database(config: &Config, name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    ensure!(
        name.bytes().all(plain),
        "the name of a database is made of a to z and _, not '{name}'"
    );
    let making = async |client: &Client| {
        let sql = "/* server::create_database */ SELECT 1 FROM pg_database WHERE datname = $1";
        if client.query_opt(sql, &[&name]).await?.is_none() {
            let sql = format!("/* server::create_database */ CREATE DATABASE {name}");
            client.batch_execute(&sql).await?;
        }
        Ok(())
    };
    let made = with_client(config, making).await;
    made.with_context(|| format!("cannot make the database {name}"))
}

/// Does `work` with a client; what ends the connection ends the work with its reason.
async fn with_client<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Client) -> Result<T>,
) -> Result<T> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::select! {
        biased;
        ended = connection => {
            ended?;
            bail!("PostgreSQL closed the connection")
        }
        done = work(&client) => done,
    }
}
