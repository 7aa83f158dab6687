//! A PostgreSQL of this command's own, with durable commits.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};

use super::guarded::Guarded;

/// The login of the services' default DATABASE_URL; the server listens on 127.0.0.1 only.
const USER: &str = "postgres";
/// The application database.
pub(super) const DATABASE: &str = "car_entities";

const START_LIMIT: Duration = Duration::from_secs(60);

/// PostgreSQL's programs.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    server: PathBuf,
    initdb: PathBuf,
    /// May be elsewhere: bundles of the server often leave it out.
    pub(super) pgbench: PathBuf,
}

impl Programs {
    /// Looks in WEIR_PG_BIN (environment or `.tools/env`), the PATH, and where distributions put them.
    pub(super) fn find(root: &Path) -> anyhow::Result<Self> {
        let folders = folders(root);
        let find = |name: &str| {
            folders
                .iter()
                .map(|folder| folder.join(name))
                .find(|file| file.is_file())
                .with_context(|| {
                    format!("PostgreSQL's {name} was found neither in WEIR_PG_BIN nor in the PATH; distributions have it in \
                     the package of the server (Debian: postgresql, RHEL: postgresql-contrib)")
                })
        };
        // Server and initdb have to be of one version, so of one folder.
        let server = folders
            .iter()
            .map(|folder| fs::canonicalize(folder.join("postgres")).unwrap_or_default())
            .find(|server| server.with_file_name("initdb").is_file())
            .context("postgres and initdb were found neither in WEIR_PG_BIN nor in the PATH")?;
        Ok(Self {
            initdb: server.with_file_name("initdb"),
            server,
            pgbench: find("pgbench")?,
        })
    }
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    folders.extend(std::env::var_os("WEIR_PG_BIN").map(PathBuf::from));
    let file = fs::read_to_string(root.join(".tools/env")).unwrap_or_default();
    folders.extend(file.lines().filter_map(|line| {
        let value = line
            .trim_start_matches("export ")
            .strip_prefix("WEIR_PG_BIN=")?;
        Some(PathBuf::from(value.trim().trim_matches(['"', '\''])))
    }));
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    let mut distribution: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_string_lossy().parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    distribution.sort_unstable();
    folders.extend(distribution.into_iter().rev().map(|(_, folder)| folder));
    folders
}

/// A running server. Dropped, it is stopped and its data removed.
pub(super) struct Postgres {
    // In this order: the process ends before its data goes.
    process: Guarded,
    _data: DataFolder,
    pub(super) port: u16,
}

impl Postgres {
    /// Makes a data directory below `folder` and starts a server with the settings of `settings`, if it is there.
    pub(super) async fn start(
        programs: &Programs,
        folder: &Path,
        settings: &Path,
    ) -> anyhow::Result<Self> {
        let account = Account::choose()?;
        let data = DataFolder::create(folder, &account)?;
        initdb(programs, &data.0, &account)?;
        if settings.is_file() {
            let text = fs::read_to_string(settings)?;
            fs::write(data.0.join("lab.conf"), text)?;
            let mut main = fs::read_to_string(data.0.join("postgresql.conf"))?;
            main.push_str("\ninclude 'lab.conf'\n");
            fs::write(data.0.join("postgresql.conf"), main)?;
            fs::set_permissions(data.0.join("lab.conf"), fs::Permissions::from_mode(0o644))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = fs::File::create(folder.join("postgres.log"))?;
        let mut command = Command::new(&programs.server);
        command.arg("-D").arg(&data.0).current_dir("/");
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=on",
            "synchronous_commit=on",
            &format!("port={port}"),
        ] {
            command.args(["-c", setting]);
        }
        command.stdout(log.try_clone()?).stderr(log);
        account.apply(&mut command);
        // SIGINT is the fast shutdown: sessions end, what is committed stays.
        let process = Guarded::start(&mut command, Signal::SIGINT)?;
        let mut server = Self {
            process,
            _data: data,
            port,
        };
        server
            .wait_until_ready(&folder.join("postgres.log"))
            .await?;
        Ok(server)
    }

    /// Where `database` is.
    pub(super) fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    async fn wait_until_ready(&mut self, log: &Path) -> anyhow::Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match super::store::connect(&self.url("postgres")).await {
                Ok(client) => {
                    let sql = format!("CREATE DATABASE {DATABASE}");
                    return client
                        .batch_execute(&sql)
                        .await
                        .context("cannot create the database");
                }
                Err(error) => {
                    let ended = self.process.ended();
                    if ended.is_some() || Instant::now() > deadline {
                        let log = fs::read_to_string(log).unwrap_or_default();
                        return Err(error.context(format!("PostgreSQL did not start:\n{log}")));
                    }
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn initdb(programs: &Programs, data: &Path, account: &Account) -> anyhow::Result<()> {
    let mut command = Command::new(&programs.initdb);
    command
        .arg("-D")
        .arg(data)
        .current_dir("/")
        .stdin(Stdio::null());
    command.args([
        "--username",
        USER,
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
        "--locale",
        "C",
    ]);
    account.apply(&mut command);
    let output = command.output().context("cannot start initdb")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "initdb failed: {errors}");
    Ok(())
}

/// Who runs the server: PostgreSQL refuses to be root.
struct Account(Option<User>);

impl Account {
    fn choose() -> anyhow::Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let user = ["postgres", "nobody"]
            .iter()
            .find_map(|name| User::from_name(name).ok()?);
        let user =
            user.context("PostgreSQL does not run as root, and there is no other account")?;
        Ok(Self(Some(user)))
    }

    fn apply(&self, command: &mut Command) {
        if let Some(user) = &self.0 {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
    }
}

/// A data directory that goes with its owner.
struct DataFolder(PathBuf);

impl DataFolder {
    fn create(folder: &Path, account: &Account) -> anyhow::Result<Self> {
        let data = Self(folder.join(format!("postgres-{}", std::process::id())));
        let path = &data.0;
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        if let Some(user) = &account.0 {
            std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
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
pub(super) fn state_folder(root: &Path, asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = match asked {
        Some(folder) => folder.to_owned(),
        None => {
            let root = fs::canonicalize(root)?;
            let open = |folder: &Path| {
                fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0)
            };
            if !geteuid().is_root() || root.ancestors().all(open) {
                root.join(".weir/ratios")
            } else {
                Path::new("/var/tmp").join(format!("weir-ratios-{}", std::process::id()))
            }
        }
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(fs::canonicalize(folder)?)
}
