//! The two clusters of a checkout: their names, ports, settings and login.

use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::state::State;

/// The documented login of both databases; they listen on 127.0.0.1 only.
pub(super) const USER: &str = "postgres";
pub(super) const PASSWORD: &str = "password";

/// Name of the application database's cluster.
pub const APPLICATION: &str = "postgres-large";

/// What distinguishes one cluster from another.
#[derive(Clone, Debug)]
pub struct Spec<'a> {
    /// Name of the data directory below the state directory.
    pub name: &'a str,
    /// Database that must exist.
    pub database: &'a str,
    /// Taken where it is free.
    pub preferred_port: u16,
    /// Settings file to start with; none: PostgreSQL's defaults.
    pub settings: Option<PathBuf>,
    /// True where an unreadable data directory of another major version may be thrown away.
    pub disposable: bool,
}

impl<'a> Spec<'a> {
    /// The application database, with the settings that Docker's has.
    pub fn application(root: &Path) -> Self {
        let settings = root.join("postgres/settings.conf");
        Self {
            name: APPLICATION,
            database: "car_entities",
            preferred_port: 5432,
            settings: settings.is_file().then_some(settings),
            disposable: true,
        }
    }

    /// The metrics database.
    pub fn metrics() -> Self {
        Self {
            name: "postgres-metrics",
            database: "performance_metrics",
            preferred_port: 5433,
            settings: None,
            disposable: false,
        }
    }

    pub(super) fn data_dir(&self, state: &State) -> PathBuf {
        state.dir.join(self.name)
    }

    /// True where the cluster has been made.
    pub fn exists(&self, state: &State) -> bool {
        self.data_dir(state).join("PG_VERSION").is_file()
    }

    /// The port on which a server of this data directory is listening already.
    pub fn running_port(&self, state: &State) -> Option<u16> {
        let file = fs::read_to_string(self.data_dir(state).join("postmaster.pid")).ok()?;
        let mut lines = file.lines();
        let pid: i32 = lines.next()?.trim().parse().ok()?;
        let port = lines.nth(2)?.trim().parse().ok()?;
        // Another user's process may not be signalled, and is there all the same.
        match kill(Pid::from_raw(pid), None) {
            Ok(()) | Err(Errno::EPERM) => Some(port),
            Err(_) => None,
        }
    }
}
