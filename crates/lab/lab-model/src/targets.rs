//! The targets of the lab: `load-test/targets.toml`, each one listed once. Every program reads the list here.

mod entry;

use std::path::Path;

use serde::Deserialize;

use crate::error::FileError;
use crate::files;
use crate::scenario::Scenario;

pub use entry::{AttributeForm, Compose, Counters, Grpc, Native, Protocol, Rest, Target};

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

    /// Reads a list for a client that calls its targets and does nothing else with them: what only a session of the lab needs
    /// may be missing. Checks nothing beyond the form of the file.
    ///
    /// # Errors
    /// The text is no TOML, has a key that is not known, or a value of another type.
    pub fn parse_for_client(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Reads a list for the lab, which starts its targets, checks and measures them.
    fn parse(text: &str) -> Result<Self, String> {
        let targets = Self::parse_for_client(text)?;
        if targets.target.is_empty() {
            return Err("there is no [[target]]".into());
        }
        for (index, target) in targets.target.iter().enumerate() {
            let name = &target.name;
            if name.is_empty() {
                return Err(format!("target {}: name must not be empty", index + 1));
            }
            let problem = |what: String| format!("target {name}: {what}");
            target.check().map_err(problem)?;
            let earlier = &targets.target[..index];
            if earlier.iter().any(|t| t.name == *name) {
                return Err(problem("name is used twice".into()));
            }
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
    fn a_client_needs_no_more_than_where_a_target_is() {
        let list = "[[target]]\nname = \"mine\"\naliases = [\"old\"]\nscenario = \"stream\"\nprotocol = \"rest\"\n\
                    url = \"http://10.0.0.5:8082\"\n";
        let targets = Targets::parse_for_client(list).unwrap();
        let target = targets.get("old").unwrap();
        assert_eq!((target.name.as_str(), target.path()), ("mine", None));
        let with_path = format!("{list}[target.rest]\npath = \"/stream\"\n");
        let targets = Targets::parse_for_client(&with_path).unwrap();
        let path = targets.get("mine").unwrap().path();
        assert_eq!(path.as_deref(), Some("/stream"));
        // A session needs more of it.
        assert!(error(list).contains("target mine: script is missing"));
        assert!(
            error(&with_path.replace("protocol", "script = \"s.js\"\nprotocol"))
                .contains("rest.health")
        );
        assert!(Targets::parse_for_client("target = 5").is_err());
    }

    #[test]
    fn a_target_of_the_lab_says_how_it_is_called() {
        let grpc = REST
            .replace("protocol = \"rest\"", "protocol = \"grpc\"")
            .replace(
                "[target.rest]\npath = \"/api/v1/events\"\nhealth = \"/api/v1/events/health\"",
                "[target.grpc]\nservice = \"a.B\"\nmethod = \"C\"\nproto = \"b.proto\"",
            );
        let targets = Targets::parse(&grpc).unwrap();
        let path = targets.get("producer-rest").unwrap().path();
        assert_eq!(path.as_deref(), Some("/a.B/C"));
        for (line, key) in [
            ("service = \"a.B\"\n", "grpc.service is missing"),
            ("method = \"C\"\n", "grpc.method is missing"),
            ("proto = \"b.proto\"\n", "grpc.proto is missing"),
        ] {
            let problem = error(&grpc.replace(line, ""));
            assert!(problem.contains(key), "{problem}");
        }
        let problem = error(&REST.replace("path = \"/api/v1/events\"\n", ""));
        assert!(problem.contains("rest.path is missing"), "{problem}");
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
