//! A PostgreSQL of this command's own, with durable commits: an empty data directory on the disk that is named, and a server
//! that ends with the command, however that ends. It is made and awaited by `lab_host::server`, as the others of the lab are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use lab_host::child::tail;
use lab_host::port::free_port;
use lab_host::{Account, postgres, server};
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::guarded::{Guarded, Signals};
use load_engine::stop::Stop;

/// The login of the services' default DATABASE_URL; the server listens on 127.0.0.1 only.
const USER: &str = "postgres";
/// The application database.
pub(crate) const DATABASE: &str = "car_entities";

/// SIGINT is the fast shutdown: sessions end, what is committed stays. SIGQUIT is the immediate one: the data goes anyway.
const SIGNALS: Signals = Signals {
    orderly: Signal::SIGINT,
    hurried: Signal::SIGQUIT,
};

const START_LIMIT: Duration = Duration::from_secs(60);

/// PostgreSQL's programs.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    server: postgres::Programs,
    /// May be elsewhere: bundles of the server often leave it out.
    pub(crate) pgbench: PathBuf,
}

impl Programs {
    /// Looks in WEIR_PG_BIN (environment or `.tools/env`), the PATH, and where distributions put them.
    pub(crate) fn find(root: &Path) -> anyhow::Result<Self> {
        let server = postgres::Programs::find(root, Account::for_postgres()?).with_context(|| {
            format!(
                "postgres and initdb of version {} or later, within reach of the account that is to run them, were found \
                 neither in WEIR_PG_BIN nor in the PATH",
                postgres::OLDEST
            )
        })?;
        let mut pgbench = postgres::folders(root)
            .into_iter()
            .map(|folder| folder.join("pgbench"));
        let pgbench = pgbench.find(|file| file.is_file()).context(
            "PostgreSQL's pgbench was found neither in WEIR_PG_BIN nor in the PATH; distributions have it in the package of \
             the server (Debian: postgresql, RHEL: postgresql-contrib)",
        )?;
        Ok(Self { server, pgbench })
    }
}

/// A running server. Dropped, it is stopped and its data removed.
pub(crate) struct Postgres {
    // In this order: the process ends before its data goes.
    process: Guarded,
    _data: DataFolder,
    pub(crate) port: u16,
}

impl Postgres {
    /// Makes a data directory below `folder` and starts a server with the settings of `settings`, if it is there.
    pub(crate) async fn start(
        programs: &Programs,
        folder: &Path,
        settings: &Path,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let data = DataFolder::create(folder, programs.server.account)?;
        let options = ["--auth=trust", "--no-sync"];
        let made_log = folder.join("initdb.log");
        server::make(&programs.server, &data.0, USER, &options, &made_log).await?;
        if settings.is_file() {
            let text = fs::read_to_string(settings)?;
            fs::write(data.0.join("lab.conf"), text)?;
            let mut main = fs::read_to_string(data.0.join("postgresql.conf"))?;
            main.push_str("\ninclude 'lab.conf'\n");
            fs::write(data.0.join("postgresql.conf"), main)?;
            fs::set_permissions(data.0.join("lab.conf"), fs::Permissions::from_mode(0o644))?;
        }
        let port = free_port(None)?;
        let log_file = folder.join("postgres.log");
        let log = fs::File::create(&log_file)?;
        let mut command = programs.server.server(&data.0, port);
        for setting in ["fsync=on", "synchronous_commit=on"] {
            command.args(["-c", setting]);
        }
        command.stdout(log.try_clone()?).stderr(log);
        let mut process = Guarded::start(&mut command, SIGNALS, stop)?;
        let ready = server::ready(&data.0, &mut process, START_LIMIT).await;
        let log = || format!("PostgreSQL did not start:\n{}", tail(&log_file, 8));
        anyhow::ensure!(ready.with_context(log)?, log());
        let server = Self {
            process,
            _data: data,
            port,
        };
        server::create_database(&server.url("postgres").parse()?, DATABASE).await?;
        Ok(server)
    }

    /// Where `database` is.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// A data directory that goes with its owner.
struct DataFolder(PathBuf);

impl DataFolder {
    fn create(folder: &Path, account: Option<Account>) -> anyhow::Result<Self> {
        let data = Self(folder.join(format!("postgres-{}", std::process::id())));
        let path = &data.0;
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        account.map_or(Ok(()), |account| account.own(path))?;
        Ok(data)
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        // What cannot be removed is in an ignored folder and harms nobody.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The folder for the database: the one asked for, `.weir/ratios` of the checkout, or, where PostgreSQL's
/// account could not reach that, one below /var/tmp.
pub(crate) fn state_folder(root: &Path, asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = match asked {
        Some(folder) => folder.to_owned(),
        None => {
            let root = fs::canonicalize(root)?;
            if !geteuid().is_root() || lab_host::open_to_all(&root) {
                root.join(".weir/ratios")
            } else {
                Path::new("/var/tmp").join(format!("weir-ratios-{}", std::process::id()))
            }
        }
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(fs::canonicalize(folder)?)
}
