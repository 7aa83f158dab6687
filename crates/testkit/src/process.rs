//! A service of the workspace as a process: started on free ports, watched through its log.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use lab_host::child_environment;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::watchdog::Watchdog;

/// Longest wait for the ready line: a service itself waits 30 s for its database.
const READY_PATIENCE: Duration = Duration::from_secs(40);
const EXIT_PATIENCE: Duration = Duration::from_secs(60);

/// A running process. Dropped, it is killed; it dies with the test process.
#[derive(Debug)]
pub struct Service {
    process: Child,
    name: String,
    log: Arc<Log>,
    _folder: TempDir,
    _watchdog: Watchdog,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Service {
    /// Starts `binary` (from `env!("CARGO_BIN_EXE_...")`) with these environment variables and waits until it says that it is
    /// ready. `HOST` is 127.0.0.1 and every port 0 unless given; the working directory is empty.
    pub fn start(binary: impl AsRef<Path>, environment: &[(&str, &str)]) -> Self {
        let service = Self::spawn(binary, &[], environment);
        let Some(_) = service.wait_for_log("ready", READY_PATIENCE) else {
            panic!("{} is not ready:\n{}", service.name, service.log());
        };
        service
    }

    /// Starts `binary` with `arguments` and does not wait for anything.
    pub fn spawn(
        binary: impl AsRef<Path>,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let binary = binary.as_ref();
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(binary);
        let mut process = child_environment::clean(&mut command)
            .args(arguments)
            .env("HOST", "127.0.0.1")
            .env("SERVER_PORT", "0")
            .env("GRPC_SERVER_PORT", "0")
            .env("ADMIN_PORT", "0")
            .env("LOG_FORMAT", "json")
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let log = Arc::new(Log::default());
        // These threads end with the process, whose pipes they read.
        let output = process.stdout.take().unwrap();
        let errors = process.stderr.take().unwrap();
        collect(output, Arc::clone(&log));
        collect(errors, Arc::clone(&log));
        Self {
            _watchdog: Watchdog::new(
                r#"kill -9 "$1" 2>/dev/null"#,
                &[&process.id().to_string()],
                None,
            ),
            name: binary
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            process,
            log,
            _folder: folder,
        }
    }

    /// The bound HTTP address, from the ready line.
    pub fn http(&self) -> SocketAddr {
        self.address("http.address")
    }

    /// The bound gRPC address, from the ready line.
    pub fn grpc(&self) -> SocketAddr {
        self.address("grpc.address")
    }

    fn address(&self, field: &str) -> SocketAddr {
        let lines = self.lines();
        let address = lines
            .iter()
            .filter(|line| line.contains("ready"))
            .find_map(|line| {
                serde_json::from_str::<serde_json::Value>(line)
                    .ok()?
                    .get(field)?
                    .as_str()?
                    .parse()
                    .ok()
            });
        address.unwrap_or_else(|| {
            panic!(
                "no {field} on the ready line of {}:\n{}",
                self.name,
                self.log()
            )
        })
    }

    /// A line of the log that holds `text`: what a service logs before it answers may still be in the pipe when its answer
    /// is there.
    ///
    /// # Panics
    /// None comes within 10 s.
    pub fn told(&self, text: &str) -> String {
        self.wait_for_log(text, Duration::from_secs(10))
            .unwrap_or_else(|| panic!("no '{text}' in the log of {}:\n{}", self.name, self.log()))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// All it has printed so far, standard output and standard error.
    pub fn log(&self) -> String {
        self.lines().join("\n")
    }

    /// The lines it has printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.log.lines.lock().unwrap().clone()
    }

    /// The first line that contains `text`, waited for; `None` when there is none in that time.
    pub fn wait_for_log(&self, text: &str, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        let mut lines = self.log.lines.lock().unwrap();
        let mut seen = 0;
        loop {
            if let Some(line) = lines[seen..].iter().find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            seen = lines.len();
            let left = deadline.checked_duration_since(Instant::now())?;
            if is_gone(self.process.id()) && Arc::strong_count(&self.log) == 1 {
                return None;
            }
            // Short, so that the end of the process is noticed too.
            let wait = left.min(Duration::from_millis(50));
            lines = self.log.grown.wait_timeout(lines, wait).unwrap().0;
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        nix::sys::signal::kill(Pid::from_raw(i32::try_from(self.pid()).unwrap()), signal).unwrap();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(
                begun.elapsed() < EXIT_PATIENCE,
                "{} does not end:\n{}",
                self.name,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.signal().is_some() || status.code().is_some());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Err(error) = self.process.kill().and_then(|()| self.process.wait()) {
            eprintln!("testkit: {} cannot be killed: {error}", self.name);
        }
        if std::thread::panicking() {
            eprintln!("--- log of {}\n{}", self.name, self.log());
        }
    }
}

fn collect(stream: impl std::io::Read + Send + 'static, log: Arc<Log>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            log.lines.lock().unwrap().push(line);
            log.grown.notify_all();
        }
    });
}

/// Whether a child has ended, without reaping it.
fn is_gone(pid: u32) -> bool {
    use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    !matches!(waitid(Id::Pid(pid), flags), Ok(WaitStatus::StillAlive))
}
