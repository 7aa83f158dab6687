//! A server under Docker, for machines without PostgreSQL.

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
        ];
        let image = GenericImage::new("postgres", "18")
            // The first of two starts only prepares the data directory, without listening on TCP.
            .with_wait_for(WaitFor::message_on_stdout(
                "PostgreSQL init process complete",
            ))
            .with_mapped_port(port, 5432.tcp())
            .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
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

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        let ready = || {
            Command::new("docker")
                .args([
                    "exec",
                    &self.id,
                    "pg_isready",
                    "--host",
                    "127.0.0.1",
                    "--username",
                    "postgres",
                ])
                .output()
                .is_ok_and(|output| output.status.success())
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
