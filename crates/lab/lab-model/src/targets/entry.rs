//! One entry of the list of targets, and what it has to say.

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::generator::Driver;
use crate::scenario::{Data, Scenario};

/// Wire protocol of a target.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1 and JSON.
    Rest,
    /// gRPC over HTTP/2.
    Grpc,
}

impl Protocol {
    /// As the metrics database and the reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Grpc => "grpc",
        }
    }
}

/// One entry of the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Unique; also the directory of its results.
    pub name: String,
    /// Names under which it was known before; a command may still use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// What it is measured at.
    pub scenario: Scenario,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Shown in reports.
    #[serde(default)]
    pub language: Option<String>,
    /// Shown in reports.
    #[serde(default)]
    pub framework: Option<String>,
    /// Database driver, shown in reports.
    #[serde(default)]
    pub driver: Option<String>,
    /// The port it serves on inside its container, and natively where it is free.
    #[serde(default)]
    pub port: Option<u16>,
    /// What makes its load, where the caller does not say; none: what the mode names.
    #[serde(default)]
    pub generator: Option<Driver>,
    /// Events in one request, over bulk (REST) or ProcessEvents (gRPC), which `benchmark` sends; none: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// k6 script below `load-test/k6/`. Required for a target of the lab.
    #[serde(default)]
    pub script: String,
    /// Part of a run that names no target.
    #[serde(default = "yes")]
    pub default: bool,
    /// It parses, answers and does nothing: its contract check is that of its health, and its audit compares the generator's
    /// count with its own.
    #[serde(default)]
    pub null: bool,
    /// What a reader of its figures must know.
    #[serde(default)]
    pub notes: Option<String>,
    /// Database connections, as it is told by `DATABASE_POOL_SIZE`.
    #[serde(default)]
    pub pool_size: Option<u32>,
    /// Serves over TLS: the lab makes a certificate for each session and tells it by TLS_CERT and TLS_KEY.
    #[serde(default)]
    pub tls: bool,
    /// Address of a target that the lab neither starts nor stops, e.g. `http://10.0.0.5:8081` or `https://10.0.0.5:8443`.
    #[serde(default)]
    pub url: Option<String>,
    /// Required for `protocol = "rest"`.
    #[serde(default)]
    pub rest: Option<Rest>,
    /// Required for `protocol = "grpc"`.
    #[serde(default)]
    pub grpc: Option<Grpc>,
    /// Where it counts its work; none: the audit does without.
    #[serde(default)]
    pub counters: Option<Counters>,
    /// How Docker compose starts it.
    #[serde(default)]
    pub compose: Option<Compose>,
    /// How it is started as a process.
    #[serde(default)]
    pub native: Option<Native>,
}

/// Paths of a REST target.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rest {
    /// Where events are posted, e.g. `/api/v1/events`. Required for a target of the lab.
    #[serde(default)]
    pub path: String,
    /// Health check, e.g. `/api/v1/events/health`. Required for a target of the lab.
    #[serde(default)]
    pub health: String,
}

/// Names of a gRPC target.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// Full service name, e.g. `com.example.grpc.EventService`. Required for a target of the lab.
    #[serde(default)]
    pub service: String,
    /// Method that takes one event, e.g. `ProcessEvent`. Required for a target of the lab.
    #[serde(default)]
    pub method: String,
    /// Proto file below `proto/`. Required for a target of the lab.
    #[serde(default)]
    pub proto: String,
    /// A new connection in every iteration.
    #[serde(default)]
    pub reconnect: bool,
    /// How an event's attributes are sent.
    #[serde(default)]
    pub attributes: AttributeForm,
}

/// How an event's attributes are sent over gRPC.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum AttributeForm {
    /// As a JSON object in `attributes_json`: typed values, as over REST.
    #[default]
    Json,
    /// As texts in `updated_attributes`, for servers of the proto as it was before that field.
    Map,
}

impl AttributeForm {
    /// As the file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Map => "map",
        }
    }
}

/// Where a target serves its counters, as Prometheus text.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Path of a GET request, e.g. `/metrics`.
    pub path: String,
    /// Where that is not the target's own port: the port in its container, and natively where it is free.
    #[serde(default)]
    pub port: Option<u16>,
    /// Variable through which the process is told that port.
    #[serde(default)]
    pub port_env: Option<String>,
    /// The series of acknowledged work that is not done yet, for a target that does it later: checks and audits wait until
    /// it is 0. E.g. `sink_lag_records`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,
}

/// Names in `docker-compose.yml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    /// Profile that holds the service.
    pub profile: String,
    /// Service name, also the host name inside the network.
    pub service: String,
    /// Services that it needs, started before it and thrown away with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Of `needs`, the one that serves the counters; none: the target itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<String>,
}

/// A command.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Native {
    /// Name of a binary of this workspace, or a path (below the repository root where relative).
    pub binary: String,
    /// Command that builds it, run in the repository's root before the first run; none for a binary of this workspace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub build: Vec<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Further environment variables.
    #[serde(default)]
    pub env: std::collections::BTreeMap<String, String>,
    /// Variable through which it is told its port, e.g. `SERVER_PORT`; none: by `{port}` in its arguments and variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_env: Option<String>,
    /// Its working directory, and that of its build; none: the lab's state directory, and the repository's root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<std::path::PathBuf>,
    /// The container whose resources count, where the command is that of a container engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

fn yes() -> bool {
    true
}

impl Target {
    /// Whether a session of the lab can use it; what is missing or wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        require(
            self.name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
            "name may hold letters, digits, '-', '_' and '.' only: it names a directory",
        )?;
        require(
            self.batch.is_none_or(|batch| {
                (1..=10_000).contains(&batch) && self.scenario == Scenario::Ingest
            }),
            "batch must be 1 to 10000 events a request, of the scenario ingest",
        )?;
        if self.scenario == Scenario::Own {
            // Its requests are those of a file of their own, which is checked where it is read.
            return self.check_reach();
        }
        present(&self.script, "script")?;
        match self.protocol {
            Protocol::Rest => require(
                self.rest.is_some(),
                "protocol is rest, but [target.rest] is missing",
            )?,
            Protocol::Grpc => require(
                self.grpc.is_some(),
                "protocol is grpc, but [target.grpc] is missing",
            )?,
        }
        if let Some(rest) = &self.rest {
            present(&rest.path, "rest.path")?;
            require(rest.path.starts_with('/'), "rest.path must begin with '/'")?;
            present(&rest.health, "rest.health")?;
            require(
                rest.health.starts_with('/'),
                "rest.health must begin with '/'",
            )?;
        }
        if let Some(grpc) = &self.grpc {
            present(&grpc.service, "grpc.service")?;
            present(&grpc.method, "grpc.method")?;
            present(&grpc.proto, "grpc.proto")?;
        }
        self.check_reach()
    }

    /// Whether anything says how the lab reaches it.
    fn check_reach(&self) -> Result<(), String> {
        if let Some(url) = &self.url {
            Endpoint::parse(url).map_err(|error| error.to_string())?;
            return require(
                !self.tls,
                "tls is for targets that the lab starts: with a url, write https://",
            );
        }
        require(self.port.is_some(), "port is missing")?;
        require(
            self.compose.is_some() || self.native.is_some(),
            "none of [target.compose], [target.native] and url says how it is reached",
        )
    }

    /// Whether a command may call it so: its name, or one of its earlier names.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Where a target with a `url` listens; none where the lab starts it.
    #[must_use]
    pub fn address(&self) -> Option<Endpoint> {
        // It was read when the file was checked.
        Endpoint::parse(self.url.as_ref()?).ok()
    }

    /// True where the lab neither starts nor stops it.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.url.is_some()
    }

    /// What it finds in the application database.
    #[must_use]
    pub fn data(&self) -> Data {
        if self.null {
            Data::None
        } else {
            self.scenario.data()
        }
    }

    /// Whether it acknowledges work that it does later.
    #[must_use]
    pub fn is_done_later(&self) -> bool {
        self.counters.as_ref().is_some_and(|at| at.lag.is_some())
    }

    /// The path of its calls, where the file says it: `/api/v1/events`, `/package.Service/Method`.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let path = match self.protocol {
            Protocol::Rest => self.rest.as_ref()?.path.clone(),
            Protocol::Grpc => {
                let Grpc {
                    service, method, ..
                } = self.grpc.as_ref()?;
                if service.is_empty() || method.is_empty() {
                    return None;
                }
                format!("/{service}/{method}")
            }
        };
        (!path.is_empty()).then_some(path)
    }
}

fn present(value: &str, key: &str) -> Result<(), String> {
    require(!value.is_empty(), &format!("{key} is missing"))
}

fn require(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}
