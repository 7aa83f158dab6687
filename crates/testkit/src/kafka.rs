//! Apache Kafka brokers of a test's own, by `scripts/kafka.sh`.

use std::collections::HashMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::watchdog::Watchdog;

/// Ports that a cluster takes, from its first on.
const PORTS: u16 = 9;
/// Tries to find ports that are free: another process can take one between the look and the start.
const TRIES: usize = 5;

/// Brokers that run. Dropped, they and what they stored are gone; so they are when the test process ends.
#[derive(Debug)]
pub struct Kafka {
    settings: HashMap<String, String>,
    port: u16,
    _watchdog: Watchdog,
    folder: TempDir,
}

impl Kafka {
    /// Starts one broker, or three. `None` where Java or Maven is missing: the test says so with
    /// [`left_out`](crate::left_out()) and is over.
    ///
    /// # Panics
    /// The brokers do not start.
    #[must_use]
    pub fn start(brokers: usize) -> Option<Self> {
        Self::start_with(brokers, &[])
    }

    /// [`start`](Self::start), with TLS and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER with tokens that nobody
    /// signed) beside the plain port.
    ///
    /// # Panics
    /// The brokers do not start.
    #[must_use]
    pub fn start_secure(brokers: usize) -> Option<Self> {
        Self::start_with(brokers, &["--secure"])
    }

    fn start_with(brokers: usize, options: &[&str]) -> Option<Self> {
        for program in ["java", "mvn"] {
            if !is_installed(program) {
                crate::left_out(&format!("'{program}', which Kafka needs, is not installed"));
                return None;
            }
        }
        let mut refusals = String::new();
        for _ in 0..TRIES {
            let folder = TempDir::new().unwrap();
            let port = free_ports();
            // With the port, `down` waits until it is free again.
            let watchdog = Watchdog::new(
                r#"exec "$1" down --dir "$2" --port "$3""#,
                &[
                    script().to_str().unwrap(),
                    folder_of(&folder).as_str(),
                    &port.to_string(),
                ],
                None,
            );
            let mut arguments = vec!["up".to_owned(), brokers.to_string()];
            arguments.extend(options.iter().map(ToString::to_string));
            match run(&folder, port, &arguments) {
                Ok(printed) => {
                    let settings = printed.lines().filter_map(|line| line.split_once('='));
                    let settings =
                        settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    return Some(Self {
                        settings: settings.collect(),
                        port,
                        _watchdog: watchdog,
                        folder,
                    });
                }
                Err(refusal) => refusals.push_str(&refusal),
            }
        }
        panic!("Kafka does not start:\n{refusals}");
    }

    /// `host:port,...` of the plain ports.
    pub fn brokers(&self) -> &str {
        &self.settings["KAFKA_BROKERS"]
    }

    /// What `scripts/kafka.sh up` printed under `name`.
    pub fn setting(&self, name: &str) -> &str {
        &self.settings[name]
    }

    /// Ends broker `number` (from 1) with SIGKILL.
    ///
    /// # Panics
    /// It does not run.
    pub fn kill(&self, number: usize) {
        self.command("kill", number);
    }

    /// Starts broker `number` again, over what it stored, and waits until it is ready.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_again(&self, number: usize) {
        self.command("start", number);
    }

    fn command(&self, command: &str, number: usize) {
        let arguments = [command.to_owned(), number.to_string()];
        run(&self.folder, self.port, &arguments).unwrap_or_else(|refusal| panic!("{refusal}"));
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/kafka.sh")
}

/// The cluster's folder: removed by `down`, so not the temporary one itself.
fn folder_of(folder: &TempDir) -> String {
    folder.path().join("kafka").to_str().unwrap().to_owned()
}

/// What the script printed on standard output, or why it failed.
fn run(folder: &TempDir, port: u16, arguments: &[String]) -> Result<String, String> {
    let mut command = Command::new(script());
    command
        .args(arguments)
        .args(["--dir", &folder_of(folder), "--port", &port.to_string()])
        .stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("-version").stdout(Stdio::null());
    command
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The first of [`PORTS`] ports in a row that are free now.
fn free_ports() -> u16 {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
    loop {
        let Some(first) = bind(0).and_then(|bound| bound.local_addr().ok()) else {
            continue;
        };
        let ports = first.port()..first.port().saturating_add(PORTS);
        if ports.len() == usize::from(PORTS) && ports.clone().all(|port| bind(port).is_some()) {
            return ports.start;
        }
    }
}
