//! PostgreSQL, with a data directory of the campaign's own. It syncs, as in production: a kill is a crash.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab_host::Account;
use lab_host::child::{Spawned, tail};
use lab_host::postgres::{Programs, is_ready};
use lab_host::state::State;
use nix::sys::signal::Signal;
use tokio_postgres::{Client, NoTls};

use super::port::lasting_port;
use super::service::signal;

const DATABASE: &str = "campaign";
/// Recovery after a kill under load takes seconds.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Postgres {
    programs: Programs,
    data: PathBuf,
    port: u16,
    log: PathBuf,
    process: Option<Spawned>,
}

impl Postgres {
    pub(crate) async fn start(folder: &Path, root: &Path) -> Result<Self> {
        let account = Account::for_postgres()?;
        let programs = Programs::find(root, account).context(
            "no PostgreSQL on this machine: scripts/native-tools.sh fetches one, or WEIR_PG_BIN names its folder",
        )?;
        // Its account has to reach the folder.
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        let data = folder.join("postgres");
        let state = State {
            dir: folder.to_owned(),
            account,
        };
        state.private_dir(&data)?;
        let made = programs
            .initdb(&data, "postgres")
            .args(["--auth", "trust", "--no-sync"])
            .stdout(Stdio::null())
            .status()?;
        ensure!(made.success(), "initdb failed: {made}");
        let mut server = Self {
            programs,
            data,
            port: lasting_port()?,
            log: folder.join("logs").join("postgres.log"),
            process: None,
        };
        server.start_again().await?;
        let client = server.connect("postgres").await?;
        client
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
        Ok(server)
    }

    /// Starts it after a stop or a kill, and waits until it takes statements.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let begun = Instant::now();
        // Right after a kill, processes of the former start may still hold its memory: tried again.
        while !self.try_start().await? {
            ensure!(
                begun.elapsed() < START_LIMIT,
                "PostgreSQL does not start; its log ends:\n{}",
                tail(&self.log, 8)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn try_start(&mut self) -> Result<bool> {
        let mut command = self.programs.server(&self.data, self.port);
        for setting in [
            "max_connections=100",
            "shared_buffers=64MB",
            "max_wal_size=256MB",
        ] {
            command.arg("-c").arg(setting);
        }
        let process = Spawned::start("postgres", command.into(), &self.log)?;
        let mut process = process.with_stop_signal(Signal::SIGINT);
        let begun = Instant::now();
        while !is_ready(&self.data, process.pid()) {
            if process.exited().is_some() {
                return Ok(false);
            }
            ensure!(begun.elapsed() < START_LIMIT, "PostgreSQL is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.process = Some(process);
        Ok(true)
    }

    /// Kills it: connections break without a word, and the next start recovers.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.end(Signal::SIGKILL).await
    }

    /// A fast shutdown, as an operator does it.
    pub(crate) async fn shut_down(&mut self) -> Result<()> {
        self.end(Signal::SIGINT).await
    }

    async fn end(&mut self, with: Signal) -> Result<()> {
        if let Some(mut process) = self.process.take() {
            signal(process.pid(), with)?;
            let ended = tokio::time::timeout(STOP_LIMIT, process.wait()).await;
            ended.context("PostgreSQL does not stop")??;
        }
        Ok(())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The database's URL with another address: that of a proxy.
    pub(crate) fn url_at(&self, address: SocketAddr) -> String {
        format!("postgresql://postgres@{address}/{DATABASE}?sslmode=disable")
    }

    /// A connection past the proxy.
    pub(crate) async fn client(&self) -> Result<Client> {
        self.connect(DATABASE).await
    }

    async fn connect(&self, database: &str) -> Result<Client> {
        let url = format!("postgresql://postgres@{}/{database}", self.address());
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        // Ends with the client, or with the server: then the client says so.
        drop(tokio::spawn(connection));
        Ok(client)
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.shut_down().await
    }
}
