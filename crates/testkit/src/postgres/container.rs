//! A server under Docker, for machines without PostgreSQL.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::runtime::Runtime;

use crate::watchdog::Watchdog;

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Container {
    runtime: Option<Runtime>,
    container: Option<ContainerAsync<GenericImage>>,
    id: String,
    port: u16,
    _watchdog: Watchdog,
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Container({}, port {})", self.id, self.port)
    }
}

impl Container {
    pub(super) fn start(settings: &[(&str, &str)]) -> Self {
        let settings: Vec<String> = settings
            .iter()
            .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
            .collect();
        // Callers may be inside a runtime of their own, which must not be blocked on.
        std::thread::spawn(move || Self::start_here(&settings))
            .join()
            .expect("a PostgreSQL container")
    }

    fn start_here(settings: &[String]) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let port = super::native::free_port();
        let command = [
            "postgres",
            "-c",
            "fsync=off",
            "-c",
            "full_page_writes=off",
            "-c",
            "max_connections=200",
            "-c",
            "listen_addresses=*",
        ];
        let image = GenericImage::new("postgres", "18")
            // Readiness is asked for below, when the watchdog is there to remove what does not become ready.
            .with_wait_for(WaitFor::Nothing)
            .with_mapped_port(port, 5432.tcp())
            .with_env_var("POSTGRES_PASSWORD", "password")
            .with_cmd(
                command
                    .into_iter()
                    .map(str::to_owned)
                    .chain(settings.iter().cloned()),
            );
        let container = runtime.block_on(image.start()).expect(
            "neither PostgreSQL 15 or later (scripts/native-tools.sh fetches one) nor Docker with the image postgres:18",
        );
        let id = container.id().to_owned();
        let watchdog = Watchdog::new(r#"docker rm --force --volumes "$1""#, &[&id], None);
        let server = Self {
            runtime: Some(runtime),
            container: Some(container),
            id,
            port,
            _watchdog: watchdog,
        };
        server.wait_until_ready();
        server
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn stop(&mut self) {
        docker(&["stop", "--signal", "SIGINT", &self.id]);
    }

    pub(super) fn kill(&mut self) {
        docker(&["kill", &self.id]);
    }

    pub(super) fn start_again(&mut self) {
        docker(&["start", &self.id]);
        self.wait_until_ready();
    }

    pub(super) fn log(&self) -> String {
        docker(&["logs", &self.id])
    }

    /// While the entrypoint prepares the data directory, a server runs that stops again: the one to wait for is the
    /// container's first process.
    fn wait_until_ready(&self) {
        const STARTED: [&str; 4] = ["grep", "-q", "postgres", "/proc/1/comm"];
        let begun = Instant::now();
        let ready = || {
            let started = Command::new("docker")
                .arg("exec")
                .arg(&self.id)
                .args(STARTED)
                .output();
            started.is_ok_and(|output| output.status.success()) && self.speaks().is_ok()
        };
        while !ready() {
            assert!(
                begun.elapsed() < PATIENCE,
                "PostgreSQL is not ready:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether a server answers at the published port: to the question for TLS, with yes or no.
    fn speaks(&self) -> std::io::Result<()> {
        const TLS_WANTED: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(&TLS_WANTED)?;
        stream.read_exact(&mut [0])
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The watchdog removes the container. Dropping a runtime inside another one is not allowed.
        let (runtime, container) = (self.runtime.take(), self.container.take());
        let ended = std::thread::spawn(move || {
            if let (Some(runtime), Some(container)) = (runtime, container) {
                runtime.block_on(async { drop(container) });
            }
        });
        if ended.join().is_err() {
            eprintln!("testkit: the container {} cannot be removed", self.id);
        }
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .output()
        .expect("the docker command");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "docker {arguments:?}: {text}");
    text
}
