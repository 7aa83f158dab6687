//! PostgreSQL for tests: a server for the test process, a fresh database for each test.
//!
//! The server's binaries are those that `WEIR_PG_BIN` names, that `.tools/env` names, on the PATH, or under
//! `/usr/lib/postgresql`; without any (or with `TESTKIT_POSTGRES=docker`), the image
//! `postgres:18` runs under Docker.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use lab_host::Account;
use lab_host::postgres::Programs;
use tokio_postgres::NoTls;

mod container;
mod native;
mod template;

use container::Container;
use native::Native;

/// The server that all tests of this process share. Started at the first call, ended with the process.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::start)
}

/// A server on a free port of 127.0.0.1, which keeps port and data when it is stopped and started. It does not
/// fsync: what it has committed survives its own death, not the machine's. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Server(Backend);

#[derive(Debug)]
enum Backend {
    Native(Box<Native>),
    Container(Box<Container>),
}

impl Server {
    /// A server of the test's own.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server of the test's own, with settings such as `("max_connections", "20")`.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        Self(match programs() {
            Some(programs) => Backend::Native(Box::new(Native::start(programs, settings))),
            None => Backend::Container(Box::new(Container::start(settings))),
        })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        match &self.0 {
            Backend::Native(server) => server.port(),
            Backend::Container(server) => server.port(),
        }
    }

    /// The URL of a database of this server. The password is `password`.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgresql://postgres:password@127.0.0.1:{}/{database}",
            self.port()
        )
    }

    /// Stops the server as an operator would (fast shutdown: connections end with 57P01).
    pub fn stop(&mut self) {
        match &mut self.0 {
            Backend::Native(server) => server.stop(),
            Backend::Container(server) => server.stop(),
        }
    }

    /// Kills the server: connections break without a word.
    pub fn kill(&mut self) {
        match &mut self.0 {
            Backend::Native(server) => server.kill(),
            Backend::Container(server) => server.kill(),
        }
    }

    /// Starts it again after [`Server::stop`] or [`Server::kill`], on the same port, and waits until it is ready.
    pub fn start_again(&mut self) {
        match &mut self.0 {
            Backend::Native(server) => server.run(),
            Backend::Container(server) => server.start_again(),
        }
    }

    /// A hot standby of this server, with settings of its own. This server is stopped and started for it. `None` under Docker,
    /// with [`left_out`](crate::left_out()).
    pub fn standby(&mut self, settings: &[(&str, &str)]) -> Option<Self> {
        match &mut self.0 {
            Backend::Native(server) => {
                Some(Self(Backend::Native(Box::new(server.standby(settings)))))
            }
            Backend::Container(_) => {
                crate::left_out(
                    "a standby needs PostgreSQL's programs: run scripts/native-tools.sh",
                );
                None
            }
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        match &self.0 {
            Backend::Native(server) => server.log(),
            Backend::Container(server) => server.log(),
        }
    }
}

/// Makes `folder` a data directory of the superuser `postgres`, whom it believes every client to be, as `initdb` of the programs
/// in `pg_bin` makes it: a copy takes a fraction of the time.
pub fn data_directory(folder: &Path, pg_bin: &Path) {
    let account = Account::for_postgres().expect("an account for PostgreSQL");
    let programs = Programs::at(pg_bin, account).expect("PostgreSQL");
    template::copy_to(folder, &programs);
}

/// Installed ones, unless Docker is asked for.
fn programs() -> Option<Programs> {
    if std::env::var_os("TESTKIT_POSTGRES").is_some_and(|wanted| wanted == "docker") {
        return None;
    }
    let account = Account::for_postgres().expect("an account for PostgreSQL");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Programs::find(&repository, account)
}

/// An empty database that no other test uses. It goes away with its server.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
}

impl Database {
    /// A new database on the shared server.
    pub async fn fresh() -> Self {
        // The first call starts the server: not on a thread that drives other tasks.
        let server = tokio::task::spawn_blocking(shared).await.unwrap();
        Self::fresh_on(server).await
    }

    /// A new database on `server`.
    pub async fn fresh_on(server: &Server) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = connect(&server.url("postgres")).await;
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        let url = server.url(&name);
        Self { name, url }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For `DATABASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until this many sessions of the database, or more, run a statement that holds `statement` and wait for a lock:
    /// what they were asked for has come that far.
    pub async fn until_blocked(&self, statement: &str, sessions: i64) {
        let client = self.client().await;
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                   AND wait_event_type = 'Lock' AND strpos(query, $1) > 0 AND pid <> pg_backend_pid()";
        crate::eventually(
            &format!("{sessions} of {statement} wait for a lock"),
            async || {
                let row = client.query_one(sql, &[&statement]).await.unwrap();
                row.get::<_, i64>(0) >= sessions
            },
        )
        .await;
    }

    /// A connection of the test's own, beside those of the service.
    pub async fn client(&self) -> tokio_postgres::Client {
        connect(&self.url).await
    }
}

/// A transaction that holds a lock of this mode (`EXCLUSIVE`, say) on a table until it ends.
pub async fn lock_table<'a>(
    client: &'a mut tokio_postgres::Client,
    table: &str,
    mode: &str,
) -> tokio_postgres::Transaction<'a> {
    let lock = client.transaction().await.unwrap();
    let statement = format!("LOCK TABLE {table} IN {mode} MODE");
    lock.batch_execute(&statement).await.unwrap();
    lock
}

/// A connection to a URL.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    // Ends when the client is dropped, or with the server: then the client says so.
    drop(tokio::spawn(connection));
    client
}
