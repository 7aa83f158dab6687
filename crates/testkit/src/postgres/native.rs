//! A server from installed binaries.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use lab_host::postgres::{Programs, is_ready};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::template;
use crate::watchdog::Watchdog;

const SETTINGS: [(&str, &str); 6] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "200"),
    ("shared_buffers", "64MB"),
    ("log_min_messages", "warning"),
    ("log_line_prefix", "%m [%p] %a "),
];

/// Longest time for a start or a stop: recovery after a kill under load takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Ends the server whose folder is `$1`, whichever start of it is running, and removes the folder.
const CLEAN_UP: &str = r#"
# A zombie counts as gone: who is to reap it may be slow, or missing in a container.
runs() {
    case $(ps -o stat= -p "$1" 2>/dev/null) in '' | Z*) return 1 ;; esac
}
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && ps -o command= -p "$pid" 2>/dev/null | grep -q postgres; then
    kill -QUIT "$pid" 2>/dev/null
    tries=0
    while runs "$pid" && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.02
    done
fi
rm -rf "$1"
"#;

#[derive(Debug)]
pub(super) struct Native {
    programs: Programs,
    settings: Vec<(String, String)>,
    port: u16,
    process: Option<Child>,
    log: PathBuf,
    data: PathBuf,
    // Last: removes the folder when all else is gone.
    watchdog: Option<Watchdog>,
}

impl Native {
    pub(super) fn start(programs: Programs, settings: &[(&str, &str)]) -> Self {
        let settings = SETTINGS.iter().chain(settings);
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut server = Self::prepare(programs, settings.collect(), template::copy_to);
        server.run_on_a_free_port();
        server
    }

    /// A hot standby of this server, which is stopped while its files are copied.
    pub(super) fn standby(&mut self, settings: &[(&str, &str)]) -> Self {
        let primary = format!("host=127.0.0.1 port={} user=postgres", self.port);
        let mut all = self.settings.clone();
        all.push(("primary_conninfo".to_owned(), primary));
        let more = settings.iter();
        all.extend(more.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.stop();
        let mut standby = Self::prepare(self.programs.clone(), all, |data, programs| {
            template::standby_of(&self.data, data, programs.account)
                .expect("a copy of the primary's files");
        });
        self.run();
        standby.run_on_a_free_port();
        standby
    }

    /// A server whose data directory `fill` makes.
    fn prepare(
        programs: Programs,
        settings: Vec<(String, String)>,
        fill: impl FnOnce(&Path, &Programs),
    ) -> Self {
        let folder = template::temporary_folder("weir-postgres-", programs.account);
        let path = folder
            .path()
            .to_str()
            .expect("a temporary folder in UTF-8")
            .to_owned();
        let watchdog = Watchdog::new(CLEAN_UP, &[&path], programs.account);
        let folder = TempDir::keep(folder);
        let data = folder.join("data");
        fill(&data, &programs);
        Self {
            settings,
            port: 0,
            process: None,
            log: folder.join("log"),
            data,
            programs,
            watchdog: Some(watchdog),
        }
    }

    fn run_on_a_free_port(&mut self) {
        // Another process may take the port before the server does.
        for _ in 0..5 {
            self.port = free_port();
            if self.try_run() {
                return;
            }
        }
        panic!("PostgreSQL does not start:\n{}", self.log());
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it on its port. Right after a kill, processes of the former start may still hold its memory.
    pub(super) fn run(&mut self) {
        let begun = Instant::now();
        while !self.try_run() {
            assert!(
                begun.elapsed() < PATIENCE,
                "PostgreSQL does not start:\n{}",
                self.log()
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// False where the server ended instead of becoming ready.
    fn try_run(&mut self) -> bool {
        assert!(self.process.is_none(), "the server runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log file");
        let mut command = self.programs.server(&self.data, self.port);
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdout(Stdio::null()).stderr(log).process_group(0);
        let mut process = command.spawn().expect("the PostgreSQL server");
        let begun = Instant::now();
        while !is_ready(&self.data, process.id()) {
            if process.try_wait().expect("the server's state").is_some() {
                return false;
            }
            if begun.elapsed() > PATIENCE {
                process.kill().expect("the server can be killed");
                panic!(
                    "PostgreSQL is not ready after {PATIENCE:?}:\n{}",
                    self.log()
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.process = Some(process);
        true
    }

    pub(super) fn stop(&mut self) {
        self.end(Signal::SIGINT);
    }

    pub(super) fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("a running server");
        let pid = Pid::from_raw(i32::try_from(process.id()).expect("a process id"));
        kill(pid, signal).expect("the server can be signalled");
        let begun = Instant::now();
        while process.try_wait().expect("the server's state").is_none() {
            assert!(
                begun.elapsed() < PATIENCE,
                "PostgreSQL does not stop:\n{}",
                self.log()
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Reaped below: the watchdog waits until the process is gone, which a zombie is not.
            if let Err(error) = process.kill().and_then(|()| process.wait().map(drop)) {
                eprintln!("testkit: PostgreSQL cannot be ended: {error}");
            }
        }
        drop(self.watchdog.take());
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
