//! A real PgBouncer in transaction mode, where one is installed.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lab_host::Account;
use tempfile::TempDir;

use crate::watchdog::Watchdog;

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Debian puts it where only root's path looks.
const PLACES: [&str; 3] = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];

/// A running PgBouncer. Dropped, it is killed; it dies with the test process.
#[derive(Debug)]
pub struct PgBouncer {
    process: Child,
    address: SocketAddr,
    _watchdog: Watchdog,
    _folder: TempDir,
}

impl PgBouncer {
    /// Starts one before the server at `port` of 127.0.0.1, with this many sessions for all clients. `None` where it is not
    /// installed: the test says so with [`left_out`](crate::left_out()) and is over.
    ///
    /// # Panics
    /// It does not start.
    #[must_use]
    pub fn start(port: u16, sessions: usize) -> Option<Self> {
        let Some(program) = program() else {
            crate::left_out("PgBouncer is not installed");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let listen = free_port();
        let settings = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n\
             * = host=127.0.0.1 port={port} user=postgres password=password\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {listen}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             default_pool_size = {sessions}\n"
        );
        fs::write(&settings, text).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(program);
        command
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        // Like PostgreSQL it does not run as root.
        if let Some(account) = Account::for_postgres().expect("an account for PgBouncer") {
            account.own(folder.path()).unwrap();
            account.run(&mut command);
        }
        let mut process = command.spawn().unwrap();
        let watchdog = Watchdog::new(
            r#"kill -9 "$1" 2>/dev/null"#,
            &[&process.id().to_string()],
            None,
        );
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listen));
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = process.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(folder.path().join("log"));
                panic!("PgBouncer does not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Some(Self {
            process,
            address,
            _watchdog: watchdog,
            _folder: folder,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("testkit: PgBouncer cannot be killed: {error}");
        }
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).collect::<Vec<_>>();
    let folders = folders.iter().map(PathBuf::as_path);
    let places = folders.chain(PLACES.iter().map(Path::new));
    places
        .map(|folder| folder.join("pgbouncer"))
        .find(|file| file.is_file())
}

fn free_port() -> u16 {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    bound.local_addr().unwrap().port()
}
