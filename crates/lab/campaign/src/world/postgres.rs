//! PostgreSQL, with a data directory of the campaign's own. It syncs, as in production: a kill is a crash.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use database_link::Link;
use lab_host::Account;
use lab_host::child::{Spawned, tail};
use lab_host::postgres::Programs;
use lab_host::server;
use lab_host::state::State;
use nix::sys::signal::Signal;
use tokio_postgres::Config;

use super::port::lasting_port;
use super::service::signal;

const USER: &str = "postgres";
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
        let logs = folder.join("logs");
        let options = ["--auth=trust", "--no-sync"];
        server::make(&programs, &data, USER, &options, &logs.join("initdb.log")).await?;
        let mut postgres = Self {
            programs,
            data,
            port: lasting_port()?,
            log: logs.join("postgres.log"),
            process: None,
        };
        postgres.start_again().await?;
        let config = config_at(postgres.address(), "postgres");
        server::create_database(&config, DATABASE).await?;
        Ok(postgres)
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
        let ready = server::ready(&self.data, &mut process, START_LIMIT).await?;
        self.process = ready.then_some(process);
        Ok(ready)
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
        format!("postgresql://{USER}@{address}/{DATABASE}?sslmode=disable")
    }

    /// How to connect past the proxy.
    pub(crate) fn config(&self) -> Config {
        config_at(self.address(), DATABASE)
    }

    /// A connection past the proxy.
    pub(crate) async fn client(&self) -> Result<Link> {
        Link::connect(&self.config()).await
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        self.shut_down().await
    }
}

fn config_at(address: SocketAddr, database: &str) -> Config {
    let mut config = Config::new();
    config
        .host(address.ip().to_string())
        .port(address.port())
        .user(USER)
        .dbname(database);
    config
}
