//! A service as a child process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use lab_host::child_environment;
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::guarded::{Guarded, Signals};
use crate::protected::Protected;
use load_engine::protocol::{Endpoint, Protocol};
use load_engine::stop::Stop;

/// How a service writes; the values of its `--write-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WriteMode {
    Group,
    Single,
    ReadThenWrite,
}

impl WriteMode {
    pub(crate) fn value(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Single => "single",
            Self::ReadThenWrite => "read-then-write",
        }
    }
}

/// Which service is started.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Producer(Protocol, WriteMode),
    /// With TLS, principals and limits.
    Protected(Protocol),
    /// Whether requests share reads.
    Balance {
        shared: bool,
    },
    Stream,
    EventLog,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Producer(Protocol::Rest, _) | Self::Protected(Protocol::Rest) => "producer-rest",
            Self::Producer(Protocol::Grpc, _) | Self::Protected(Protocol::Grpc) => "producer-grpc",
            Self::Balance { .. } => "balance",
            Self::Stream => "stream",
            Self::EventLog => "event-log",
        }
    }
}

/// What a service is started with.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSpec<'a> {
    pub(crate) bin_dir: &'a Path,
    pub(crate) program: Program,
    /// The face that is measured.
    pub(crate) protocol: Protocol,
    pub(crate) database_url: &'a str,
    pub(crate) pool_size: u32,
    /// For its log and as its working directory, so that no `.env` of the checkout is read.
    pub(crate) folder: &'a Path,
    /// Whether the session is asked to stop.
    pub(crate) stop: &'a Stop,
}

/// A service that is ready. Dropped, it is stopped.
pub(crate) struct Service {
    process: Guarded,
    pub(crate) endpoint: Endpoint,
    http: Option<SocketAddr>,
}

/// What a service keeps lies in the session's folder, which goes with the session.
const SIGNALS: Signals = Signals {
    orderly: Signal::SIGTERM,
    hurried: Signal::SIGKILL,
};

/// Connections that stream may have: its default of 10,000 leaves none for a look at it beside that many subscribers.
const MOST_SUBSCRIBERS: &str = "110000";

/// A service waits up to 30 s for its database before it gives up.
const START_LIMIT: Duration = Duration::from_secs(40);

impl Service {
    pub(crate) async fn start(spec: &ServiceSpec<'_>) -> anyhow::Result<Self> {
        let name = spec.program.name();
        let log = spec.folder.join(format!("{name}.log"));
        let file = fs::File::create(&log)?;
        let mut command = Command::new(binary(spec.bin_dir, name)?);
        child_environment::clean(&mut command);
        match spec.program {
            Program::Producer(_, mode) => {
                command.args(["--write-mode", mode.value()]);
            }
            Program::EventLog => {
                command
                    .arg("serve")
                    .env("EVENT_LOG_DIR", spec.folder.join("event-log"));
            }
            Program::Balance { shared } => {
                command.args(["--read-mode", if shared { "group" } else { "single" }]);
            }
            // As many as this process can open, which is its client.
            Program::Stream => {
                command.env("MAX_CONNECTIONS", MOST_SUBSCRIBERS);
            }
            Program::Protected(_) => {}
        }
        let protected = match spec.program {
            Program::Protected(_) => Some(Protected::make(spec.folder)?),
            _ => None,
        };
        if let Some(protected) = &protected {
            protected.tell(&mut command);
        }
        command
            .env("DATABASE_URL", spec.database_url)
            .env("DATABASE_POOL_SIZE", spec.pool_size.to_string())
            .env("HOST", "127.0.0.1")
            .env("SERVER_PORT", "0")
            .env("GRPC_SERVER_PORT", "0")
            .env("ADMIN_PORT", "0")
            .env("LOG_FORMAT", "json")
            // A line per ten events, the default, would be part of what is measured.
            .env("PERSISTED_COUNT_LOG_EVERY", "1000000")
            .current_dir(spec.folder)
            .stdout(file.try_clone()?)
            .stderr(file);
        let mut process = Guarded::start(&mut command, SIGNALS, spec.stop)?;
        let field = match spec.protocol {
            Protocol::Rest => "http.address",
            Protocol::Grpc => "grpc.address",
        };
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            if let Some(address) = ready_address(&text, field) {
                let client = protected
                    .as_ref()
                    .map(Protected::client)
                    .unwrap_or_default();
                let url = format!("http://{address}");
                let endpoint = Endpoint::of_client(&url, &client, spec.protocol)?;
                let http = ready_address(&text, "http.address");
                return Ok(Self {
                    process,
                    endpoint,
                    http,
                });
            }
            let ended = process.ended();
            anyhow::ensure!(
                ended.is_none() && Instant::now() < deadline,
                "{name} did not become ready ({ended:?}); its log:\n{text}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Where its metrics are.
    pub(crate) fn http(&self) -> anyhow::Result<SocketAddr> {
        self.http.context("the service named no address for HTTP")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// The binary `name` in `folder`.
pub(crate) fn binary(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let file = folder.join(name);
    let found = fs::canonicalize(&file);
    found.with_context(|| {
        format!(
            "there is no {}: run `cargo build --release -p {name}` first",
            file.display()
        )
    })
}

/// The address on the line that says that the service is ready.
fn ready_address(log: &str, field: &str) -> Option<SocketAddr> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|line| line["message"] == "ready")
        .find_map(|line| line.get(field)?.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_on_the_ready_line_alone() {
        let log = "not json\n\
            {\"message\":\"starting\",\"http.address\":\"127.0.0.1:1\"}\n\
            {\"level\":\"INFO\",\"message\":\"ready\",\"http.address\":\"127.0.0.1:41234\"}\n{\"mess";
        assert_eq!(
            ready_address(log, "http.address"),
            Some("127.0.0.1:41234".parse().unwrap())
        );
        assert_eq!(ready_address(log, "grpc.address"), None);
    }
}
