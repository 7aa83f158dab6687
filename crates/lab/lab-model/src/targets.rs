//! The targets of the lab: `load-test/targets.toml`, each one listed once.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::driver::Driver;
use crate::endpoint::Endpoint;
use crate::error::FileError;
use crate::files;
use crate::scenario::{Data, Scenario};

/// Wire protocol of a target.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
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
    /// k6 script below `load-test/k6/`.
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
    /// Where events are posted, e.g. `/api/v1/events`.
    pub path: String,
    /// Health check, e.g. `/api/v1/events/health`.
    pub health: String,
}

/// Names of a gRPC target.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// Full service name, e.g. `com.example.grpc.EventService`.
    pub service: String,
    /// Method that takes one event, e.g. `ProcessEvent`.
    pub method: String,
    /// Proto file below `proto/`.
    pub proto: String,
    /// A new connection in every iteration.
    #[serde(default)]
    pub reconnect: bool,
    /// How an event's attributes are sent.
    #[serde(default)]
    pub attributes: Attributes,
}

/// How an event's attributes are sent over gRPC.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Attributes {
    /// As a JSON object in `attributes_json`: typed values, as over REST.
    #[default]
    Json,
    /// As texts in `updated_attributes`, for servers of the proto as it was before that field.
    Map,
}

impl Attributes {
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
}

/// Names in `docker-compose.yml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Compose {
    /// Profile that holds the service.
    pub profile: String,
    /// Service name, also the host name inside the network.
    pub service: String,
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

/// All of them in the order of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    target: Vec<Target>,
}

impl Targets {
    /// Reads and checks the file of the repository at `root`.
    ///
    /// # Errors
    /// The file cannot be read, or an entry of it is wrong.
    pub fn load(root: &Path) -> Result<Self, FileError> {
        Self::read(&root.join(files::TARGETS))
    }

    /// Reads and checks a list of targets, wherever it is.
    ///
    /// # Errors
    /// The file cannot be read, or an entry of it is wrong.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path).map_err(|error| FileError::at(path, error))?;
        Self::parse(&text).map_err(|problem| FileError::at(path, problem))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let targets: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        require(!targets.target.is_empty(), "there is no [[target]]")?;
        for (index, target) in targets.target.iter().enumerate() {
            let name = &target.name;
            if name.is_empty() {
                return Err(format!("target {}: name must not be empty", index + 1));
            }
            let problem = |what: String| format!("target {name}: {what}");
            target.check().map_err(problem)?;
            let earlier = &targets.target[..index];
            require(
                !earlier.iter().any(|t| t.name == *name),
                "name is used twice",
            )
            .map_err(problem)?;
            for alias in &target.aliases {
                let others = targets.target.iter().enumerate();
                let mut others = others.filter(|(other, _)| *other != index);
                let taken = others.find(|(_, other)| other.is_called(alias));
                if let Some((_, other)) = taken {
                    let taken = format!("the alias {alias} also names the target {}", other.name);
                    return Err(problem(taken));
                }
            }
        }
        Ok(targets)
    }

    /// In the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.target.iter()
    }

    /// The profiles of the compose file that hold the targets and k6.
    #[must_use]
    pub fn compose_profiles(&self) -> Vec<&str> {
        let compose = self.iter().filter_map(|t| t.compose.as_ref());
        let mut profiles: Vec<&str> = compose.map(|c| c.profile.as_str()).collect();
        profiles.push("k6-test");
        profiles.sort_unstable();
        profiles.dedup();
        profiles
    }

    /// The scenario of a command that names none: ingestion where any target has it, else that of the first target.
    #[must_use]
    pub fn usual_scenario(&self) -> Scenario {
        let all = || self.iter().map(|target| target.scenario);
        let ingest = all().find(|scenario| *scenario == Scenario::Ingest);
        ingest.or_else(|| all().next()).unwrap_or(Scenario::Ingest)
    }

    /// The target of that name, today's or an earlier one.
    pub fn get(&self, name: &str) -> Option<&Target> {
        self.target.iter().find(|t| t.is_called(name))
    }
}

impl Target {
    fn check(&self) -> Result<(), String> {
        require(
            self.name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)),
            "name may hold letters, digits, '-', '_' and '.' only: it names a directory",
        )?;
        if self.scenario == Scenario::Own {
            // Its requests are those of a file of their own, which is checked where it is read.
            return self.check_reach();
        }
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
            require(rest.path.starts_with('/'), "rest.path must begin with '/'")?;
            require(
                rest.health.starts_with('/'),
                "rest.health must begin with '/'",
            )?;
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

    /// The path of its calls: `/api/v1/events`, `/package.Service/Method`.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        match self.protocol {
            Protocol::Rest => Some(self.rest.as_ref()?.path.clone()),
            Protocol::Grpc => {
                let Grpc {
                    service, method, ..
                } = self.grpc.as_ref()?;
                Some(format!("/{service}/{method}"))
            }
        }
    }
}

fn require(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = r#"
[[target]]
name = "producer-rest"
scenario = "ingest"
protocol = "rest"
port = 8081
script = "rest-api-test.js"
default = true
[target.rest]
path = "/api/v1/events"
health = "/api/v1/events/health"
[target.native]
binary = "producer-rest"
port_env = "SERVER_PORT"
"#;

    fn error(text: &str) -> String {
        Targets::parse(text).unwrap_err()
    }

    #[test]
    fn a_full_entry_is_read() {
        let targets = Targets::parse(REST).unwrap();
        let target = targets.get("producer-rest").unwrap();
        assert_eq!(target.protocol, Protocol::Rest);
        assert_eq!(
            target.native.as_ref().unwrap().port_env.as_deref(),
            Some("SERVER_PORT")
        );
    }

    #[test]
    fn errors_name_the_key() {
        assert!(error(&REST.replace("port_env", "port_evn")).contains("port_evn"));
        assert!(error(&REST.replace("port = 8081\n", "")).contains("port is missing"));
        assert!(
            error(&REST.replace("protocol = \"rest\"", "protocol = \"soap\"")).contains("soap")
        );
        let renamed = error(&REST.replace("[target.rest]\n", "[target.grpc]\n"));
        assert!(renamed.contains("service"), "{renamed}");
        let grpc = error(&REST.replace("protocol = \"rest\"", "protocol = \"grpc\""));
        assert!(grpc.contains("[target.grpc] is missing"), "{grpc}");
        assert!(error(&REST.replace("producer-rest", "a/b")).contains("name may hold"));
        assert!(error(&format!("{REST}{REST}")).contains("used twice"));
        assert!(error(&REST.replace("script = \"rest-api-test.js\"\n", "")).contains("script"));
    }

    #[test]
    fn a_target_answers_to_its_old_names() {
        let old = REST.replace(
            "scenario = \"ingest\"",
            "aliases = [\"producer-api-rust-rest\"]\nscenario = \"ingest\"",
        );
        let targets = Targets::parse(&old).unwrap();
        let target = targets.get("producer-api-rust-rest").unwrap();
        assert_eq!(target.name, "producer-rest");
        let other = REST.replace("producer-rest", "producer-api-rust-rest");
        assert!(error(&format!("{old}{other}")).contains("also names the target"));
    }

    #[test]
    fn a_target_elsewhere_is_known_by_its_url() {
        let elsewhere =
            |url: &str| REST.replace("port = 8081\n", &format!("port = 8081\nurl = \"{url}\"\n"));
        let targets = Targets::parse(&elsewhere("http://[::1]:8081")).unwrap();
        let target = targets.get("producer-rest").unwrap();
        assert!(target.is_external());
        assert_eq!(target.address().unwrap().to_string(), "[::1]:8081");
        assert_eq!(target.path().as_deref(), Some("/api/v1/events"));
        let wrong = error(&elsewhere("http://a"));
        assert!(
            wrong.contains("target producer-rest: url http://a:"),
            "{wrong}"
        );
    }

    #[test]
    fn the_file_of_this_repository_is_valid() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let targets = Targets::load(&root).unwrap();
        for name in ["producer-rest", "producer-grpc"] {
            assert!(targets.get(name).unwrap().default, "{name}");
        }
    }
}
