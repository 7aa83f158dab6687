//! `docker compose` as a command, and the file that it reads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab_model::targets::{Target, Targets};
use local_tools::named;
use serde_json::Value;
use tokio::process::Command;

use crate::process::{free_port, is_free, output_of, tail};
use crate::run::settings::{self, Variables};

const QUICK: Duration = Duration::from_secs(20);

/// How the names of the variables end that set limits and versions.
const LIMITS: [&str; 5] = ["_CPUS", "_MEMORY", "_RESERVED", "_GOMEMLIMIT", "_IMAGE"];

/// How compose is called for this checkout.
#[derive(Clone, Debug)]
pub(crate) struct Compose {
    root: PathBuf,
    /// The command, e.g. `docker compose --profile k6-test ...`.
    words: Vec<String>,
    env: Variables,
    /// What the file passes on to the target of the moment, and to no other.
    service_env: Variables,
    /// What compose finds set: its `.env` and the environment.
    dotenv: Variables,
    /// What `config --format json` answers.
    config: Value,
    /// The file itself, for the names of its variables.
    text: String,
}

impl Compose {
    /// Finds an engine and a compose command that can read the file of this checkout.
    pub(crate) async fn find(root: &Path, targets: &Targets) -> Result<Self> {
        let version = output_of(
            "docker",
            &["version", "--format", "{{.Server.Version}}"],
            QUICK,
        )
        .await;
        ensure!(version.is_some(), "no Docker engine answers");
        let file = root.join("docker-compose.yml");
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        let mut words = command_words().await?;
        let mut profiles: Vec<&str> = targets
            .iter()
            .filter_map(|t| Some(t.compose.as_ref()?.profile.as_str()))
            .collect();
        profiles.push("k6-test");
        profiles.sort_unstable();
        profiles.dedup();
        for profile in profiles {
            words.extend(["--profile".to_owned(), profile.to_owned()]);
        }
        let mut compose = Self {
            root: root.into(),
            words,
            env: Variables::new(),
            service_env: Variables::new(),
            dotenv: Variables::new(),
            config: Value::Null,
            text,
        };
        compose.dotenv = compose.variables().await;
        compose.env = compose.lab_environment(root).await;
        let config = compose.run(&["config", "--format", "json"], QUICK).await?;
        compose.config = serde_json::from_str(&config).context("docker compose config")?;
        Ok(compose)
    }

    /// What the caller has set, in the environment or in the `.env` that compose reads.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        settings::inherited(name).or_else(|| self.dotenv.get(name).cloned())
    }

    /// Sets a variable for all further calls.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    /// The variables that compose puts into the file.
    async fn variables(&self) -> Variables {
        match self.run(&["config", "--environment"], QUICK).await {
            Ok(text) => assignments(&text),
            // Compose before 2.28 does not tell.
            Err(error) => {
                tracing::debug!(%error, "reading .env without compose");
                let text = std::fs::read_to_string(self.root.join(".env"));
                named::parse(&text.unwrap_or_default())
            }
        }
    }

    /// What the file takes from the lab, where the caller has not set it.
    async fn lab_environment(&self, root: &Path) -> Variables {
        let user = format!("{}:{}", nix::unistd::geteuid(), nix::unistd::getegid());
        let mut env = Variables::from([("BUILDKIT_PROGRESS".to_owned(), "plain".to_owned())]);
        let mut unless_set = |name: &str, value: Option<String>| {
            if let Some(value) = value
                && self.given(name).is_none()
            {
                env.insert(name.to_owned(), value);
            }
        };
        unless_set("LAB_USER", Some(user));
        // A check costs the container 25 ms of CPU: none may fall into a measurement. Readiness is found by asking.
        unless_set("SERVICE_HEALTH_INTERVAL", Some("1h".into()));
        let socket = self.given("DOCKER_SOCKET");
        let socket = socket.unwrap_or_else(|| "/var/run/docker.sock".into());
        let group = std::fs::metadata(socket)
            .ok()
            .map(|meta| std::os::unix::fs::MetadataExt::gid(&meta));
        unless_set("DOCKER_GID", group.map(|gid| gid.to_string()));
        unless_set("GIT_COMMIT", crate::environment::git_commit(root).await);
        env
    }

    /// The command with these arguments, not started.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(&self.words[0]);
        command
            .args(&self.words[1..])
            .args(args)
            .current_dir(&self.root);
        command.envs(&self.env);
        command.envs(&self.service_env);
        command
    }

    /// Runs it and answers its standard output; the error holds the last lines of its standard error.
    pub(crate) async fn run(&self, args: &[&str], limit: Duration) -> Result<String> {
        let what = format!("docker compose {}", args.join(" "));
        let mut command = self.command(args);
        // A group of its own: Ctrl-C is for weir, which then stops the containers in order.
        command
            .stdin(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let output = tokio::time::timeout(limit, command.output())
            .await
            .with_context(|| format!("{what}: not done within {} s", limit.as_secs()))?
            .with_context(|| what.clone())?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
            bail!(
                "{what} failed:\n{}",
                lines[lines.len().saturating_sub(6)..].join("\n")
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Stops a service without waiting for it: for a place that cannot wait.
    pub(crate) fn stop_in_background(&self, service: &str) {
        let mut command = self.command(&["stop", service]).into_std();
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        if let Err(error) = command.spawn() {
            tracing::warn!(service, %error, "the service could not be stopped");
        }
    }

    /// Runs something long with its output in a file.
    pub(crate) async fn run_logged(
        &self,
        args: &[String],
        log: &Path,
        limit: Duration,
    ) -> Result<()> {
        if let Some(directory) = log.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = self.command(args);
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .kill_on_drop(true);
        let what = format!("docker compose {}", args.join(" "));
        let status = tokio::time::timeout(limit, command.status())
            .await
            .with_context(|| format!("{what}: not done within {} min", limit.as_secs() / 60))??;
        ensure!(
            status.success(),
            "{what} failed; its log {} says:\n{}",
            log.display(),
            tail(log, 6)
        );
        Ok(())
    }

    /// Id of the running container of a service.
    pub(crate) async fn container(&self, service: &str) -> Option<String> {
        let text = self
            .run(&["ps", "--status", "running", "-q", service], QUICK)
            .await
            .ok()?;
        text.lines()
            .next()
            .map(str::to_owned)
            .filter(|id| !id.is_empty())
    }

    /// Port of this machine behind which a container's port is.
    pub(crate) async fn published(&self, service: &str, port: u16) -> Result<u16> {
        let text = self
            .run(&["port", service, &port.to_string()], QUICK)
            .await?;
        text.trim()
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok())
            .with_context(|| format!("{service} does not publish port {port}"))
    }

    /// Moves the published ports of a service that is not running off those that somebody else has.
    pub(crate) fn avoid_taken_ports(&mut self, service: &str) -> Result<()> {
        let ports = self.config["services"][service]["ports"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for port in ports {
            let published = &port["published"];
            let number = published
                .as_u64()
                .or_else(|| published.as_str()?.parse().ok());
            let Some(number) = number.and_then(|n| u16::try_from(n).ok()) else {
                continue;
            };
            let Some(variable) = self.port_variable(number) else {
                continue;
            };
            let set_before = self.env.get(&variable);
            let wanted = set_before
                .and_then(|value| value.parse().ok())
                .unwrap_or(number);
            if !is_free(wanted) {
                let other = free_port(None)?;
                self.set(&variable, &other.to_string());
            }
        }
        Ok(())
    }

    /// The variable by which the file sets a published port, e.g. `METRICS_PORT` of `${METRICS_PORT:-5433}:5432`.
    fn port_variable(&self, published: u16) -> Option<String> {
        let default = format!(":-{published}}}:");
        let set = |name: &str| self.given(name) == Some(published.to_string());
        if let Some(end) = self.text.find(&default) {
            let start = self.text[..end].rfind("${")? + 2;
            return Some(self.text[start..end].to_owned());
        }
        // The caller has set the variable, so that the file's default is another number.
        self.names_with_a_default()
            .find(|name| name.ends_with("_PORT") && set(name))
            .map(str::to_owned)
    }

    /// The names of `${NAME:-default}` in the file.
    fn names_with_a_default(&self) -> impl Iterator<Item = &str> {
        let parts = self.text.split("${");
        parts.filter_map(|part| part.split_once(":-").map(|(name, _)| name))
    }

    /// What the lab sets for a target, where the caller has not, in place of what it set for the one before: the file
    /// passes these on.
    pub(crate) fn set_service_environment(&mut self, target: &Target) {
        let mut wanted = settings::chosen(target, |name| self.given(name));
        wanted.retain(|name, _| !name.ends_with("_PORT"));
        self.service_env = wanted;
    }

    /// All that the container of a target is told.
    pub(crate) async fn settings(&self, target: &Target, service: &str) -> Result<Variables> {
        let mut compose = self.clone();
        compose.set_service_environment(target);
        let config = compose.run(&["config", "--format", "json"], QUICK).await?;
        let config = serde_json::from_str(&config).context("docker compose config")?;
        Ok(told(&config, service))
    }

    /// What the caller has set of what these services are told, and of the limits and images.
    pub(crate) fn given_settings(&self, services: &[String]) -> Variables {
        let limits = self
            .names_with_a_default()
            .filter(|name| LIMITS.iter().any(|end| name.ends_with(end)));
        let mut all: Variables = limits
            .filter_map(|name| Some((name.to_owned(), self.given(name)?)))
            .collect();
        for service in services {
            let passed_on = told(&self.config, service).into_iter();
            all.extend(passed_on.filter(|(name, value)| self.given(name).as_ref() == Some(value)));
        }
        all.extend(settings::of_generator(|name| self.given(name)));
        all
    }

    /// What a database of the file was made with.
    pub(crate) fn password(&self, service: &str) -> String {
        let told = told(&self.config, service);
        let password = told.get("POSTGRES_PASSWORD").cloned();
        password.unwrap_or_else(|| "password".into())
    }

    /// Full names of the volumes that a service mounts.
    pub(crate) fn volumes(&self, service: &str) -> Vec<String> {
        let mounts = self.config["services"][service]["volumes"].as_array();
        let named = mounts
            .into_iter()
            .flatten()
            .filter(|mount| mount["type"] == "volume");
        named
            .filter_map(|mount| {
                let name = mount["source"].as_str()?;
                let full = self.config["volumes"][name]["name"].as_str();
                Some(full.unwrap_or(name).to_owned())
            })
            .collect()
    }

    /// Name of a service's image.
    pub(crate) fn image(&self, service: &str) -> Option<String> {
        let project = self.config["name"].as_str()?;
        match self.config["services"][service]["image"].as_str() {
            Some(image) => Some(image.to_owned()),
            None => Some(format!("{project}-{service}")),
        }
    }

    /// Id of that image, where it is here.
    pub(crate) async fn image_id(&self, service: &str) -> Option<String> {
        let image = self.image(service)?;
        output_of(
            "docker",
            &["image", "inspect", "--format", "{{.Id}}", &image],
            QUICK,
        )
        .await
    }

    /// CPUs that the file grants a service.
    pub(crate) fn cpus(&self, service: &str) -> Option<f64> {
        let of = |key: &str| number(&self.config["services"][service][key]);
        Some(of("cpu_quota")? / of("cpu_period").unwrap_or(100_000.0))
    }

    /// CPU and memory limits of a service, as the fingerprint holds them.
    pub(crate) fn limits(&self, service: &str) -> Value {
        let memory = &self.config["services"][service]["deploy"]["resources"]["limits"]["memory"];
        serde_json::json!({ "cpus": self.cpus(service), "memory_bytes": memory })
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// `WEIR_COMPOSE`, or the first of `docker compose` and `docker-compose` that answers.
async fn command_words() -> Result<Vec<String>> {
    if let Ok(named) = std::env::var("WEIR_COMPOSE") {
        let words: Vec<String> = named.split_whitespace().map(str::to_owned).collect();
        ensure!(!words.is_empty(), "WEIR_COMPOSE is empty");
        return Ok(words);
    }
    if output_of("docker", &["compose", "version", "--short"], QUICK)
        .await
        .is_some()
    {
        return Ok(vec!["docker".into(), "compose".into()]);
    }
    let standalone = output_of("docker-compose", &["version", "--short"], QUICK).await;
    // Version 1 knows neither profiles of services named on the command line nor --wait.
    if standalone.is_some_and(|version| !version.starts_with('1')) {
        return Ok(vec!["docker-compose".into()]);
    }
    bail!("docker compose (v2 or later) is not installed")
}

/// The variables of a service in what `config` answers, which writes `$` twice so that it can be read again.
fn told(config: &Value, service: &str) -> Variables {
    let variables = config["services"][service]["environment"].as_object();
    let set = variables.into_iter().flatten().filter_map(|(name, value)| {
        let value = value.as_str()?.replace("$$", "$");
        Some((name.clone(), value))
    });
    set.collect()
}

/// The lines `NAME=value` of `config --environment`.
fn assignments(text: &str) -> Variables {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compose(text: &str) -> Compose {
        let config = serde_json::json!({ "name": "weir", "volumes": { "log": { "name": "weir_log" } }, "services": {
            "db": { "image": "postgres:18", "cpu_quota": "400000", "cpu_period": "100000",
                    "ports": [{ "published": "5432", "target": 5432 }] },
            "api": { "build": {}, "volumes": [
                { "type": "volume", "source": "log", "target": "/log" },
                { "type": "bind", "source": "/etc", "target": "/etc" } ] } } });
        Compose {
            root: "/".into(),
            words: vec!["docker".into()],
            env: Variables::new(),
            service_env: Variables::new(),
            dotenv: Variables::new(),
            config,
            text: text.into(),
        }
    }

    #[test]
    fn names_limits_and_images_come_from_the_file() {
        let compose = compose("ports: [\"${BIND:-127.0.0.1}:${POSTGRES_PORT:-5432}:5432\"]");
        assert_eq!(
            compose.port_variable(5432).as_deref(),
            Some("POSTGRES_PORT")
        );
        assert_eq!(compose.port_variable(9999), None);
        assert_eq!(compose.image("db").as_deref(), Some("postgres:18"));
        assert_eq!(compose.image("api").as_deref(), Some("weir-api"));
        assert_eq!(compose.cpus("db"), Some(4.0));
        assert_eq!(compose.cpus("api"), None);
        assert_eq!(compose.volumes("api"), ["weir_log"]);
        assert!(compose.volumes("db").is_empty());
    }

    fn target(env: &str, pool_size: &str) -> Target {
        let text = format!(
            r#"
name = "api"
scenario = "ingest"
protocol = "rest"
port = 8081
script = "rest-api-test.js"
{pool_size}
[rest]
path = "/"
health = "/"
[compose]
profile = "api"
service = "api"
[native]
binary = "api"
port_env = "SERVER_PORT"
env = {{ {env} }}
"#
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_target_does_not_inherit_what_was_set_for_the_one_before() {
        let mut compose = compose("");
        compose.set("POSTGRES_PORT", "5555");
        let told = |compose: &Compose| {
            let command = compose.command(&["up"]).into_std();
            let envs = command.get_envs().map(|(name, value)| {
                let value = value.unwrap_or_default();
                format!("{}={}", name.display(), value.display())
            });
            envs.collect::<Vec<_>>()
        };
        let first = target(
            r#"WEIR_TEST_MODE = "group", ADMIN_PORT = "0""#,
            "pool_size = 20",
        );
        compose.set_service_environment(&first);
        assert_eq!(
            told(&compose),
            [
                "DATABASE_POOL_SIZE=20",
                "POSTGRES_PORT=5555",
                "WEIR_TEST_MODE=group"
            ]
        );
        compose.set_service_environment(&target(r#"WEIR_TEST_OTHER = "1""#, ""));
        assert_eq!(told(&compose), ["POSTGRES_PORT=5555", "WEIR_TEST_OTHER=1"]);
    }

    #[test]
    fn a_dotenv_counts_as_what_the_caller_has_set() {
        let dotenv = assignments(
            "WEIR_TEST_MODE=group\nWEIR_TEST_PORT=5999\nPATH a=b\n\nnoise\nWEIR_TEST_LIST=a=1,b\n",
        );
        let all: Vec<(&str, &str)> = dotenv
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            all,
            [
                ("WEIR_TEST_LIST", "a=1,b"),
                ("WEIR_TEST_MODE", "group"),
                ("WEIR_TEST_PORT", "5999")
            ]
        );
        let mut compose = compose("ports: [\"${BIND:-127.0.0.1}:${WEIR_TEST_PORT:-5432}:5432\"]");
        assert_eq!(compose.port_variable(5999), None);
        compose.dotenv = dotenv;
        assert_eq!(
            compose.port_variable(5999).as_deref(),
            Some("WEIR_TEST_PORT")
        );
        let own = target(r#"WEIR_TEST_MODE = "single", WEIR_TEST_OTHER = "1""#, "");
        compose.set_service_environment(&own);
        let set: Vec<&String> = compose.service_env.keys().collect();
        assert_eq!(set, ["WEIR_TEST_OTHER"]);
    }

    #[tokio::test]
    async fn the_variables_are_those_that_compose_answers_else_those_of_the_file() {
        let root = tempfile::tempdir().unwrap();
        let file = "# ours\nWEIR_TEST_MODE=\"group\"\n";
        std::fs::write(root.path().join(".env"), file).unwrap();
        let mut compose = compose("");
        compose.root = root.path().into();
        for (script, mode) in [
            (
                r#"test "$*" = "config --environment" && echo WEIR_TEST_MODE=single"#,
                "single",
            ),
            ("echo unknown flag >&2; exit 1", "group"),
        ] {
            compose.words = ["sh", "-c", script, "compose"].map(Into::into).into();
            assert_eq!(compose.variables().await["WEIR_TEST_MODE"], mode);
        }
    }

    #[tokio::test]
    async fn the_lab_leaves_to_a_dotenv_what_it_sets() {
        let mut compose = compose("");
        let root = Path::new("/");
        let set = compose.lab_environment(root).await;
        let by_the_caller = settings::inherited("LAB_USER").is_some();
        assert!(by_the_caller || set.contains_key("LAB_USER"));
        compose.dotenv = assignments("LAB_USER=1:1\nSERVICE_HEALTH_INTERVAL=5s\n");
        let set = compose.lab_environment(root).await;
        assert!(
            !set.contains_key("LAB_USER") && !set.contains_key("SERVICE_HEALTH_INTERVAL"),
            "{set:?}"
        );
    }

    #[test]
    fn the_password_is_the_one_that_compose_resolves() {
        let mut compose = compose("");
        assert_eq!(compose.password("db"), "password");
        compose.config["services"]["db"]["environment"] =
            serde_json::json!({ "POSTGRES_PASSWORD": "a$$b", "POSTGRES_DB": null });
        assert_eq!(compose.password("db"), "a$b");
    }

    #[tokio::test]
    async fn a_container_is_described_by_what_it_is_told() {
        // Stands for compose: passes on what it is told, and nothing where it is not.
        let script = r#"printf '{"services":{"api":{"environment":{"SERVER_PORT":"8081","WRITERS":null,"DATABASE_POOL_SIZE":"%s"}}}}' "$DATABASE_POOL_SIZE""#;
        let mut compose = compose("");
        compose.words = ["sh", "-c", script, "compose"].map(Into::into).into();
        let told = compose.settings(&target("", "pool_size = 20"), "api").await;
        let told = serde_json::to_value(told.unwrap()).unwrap();
        let expected = serde_json::json!({ "SERVER_PORT": "8081", "DATABASE_POOL_SIZE": "20" });
        assert_eq!(told, expected);
        assert!(compose.service_env.is_empty());
    }

    #[test]
    fn settings_limits_and_images_of_the_caller_are_repeated() {
        let mut compose = compose(
            "${WEIR_TEST_CPUS:-2} ${WEIR_TEST_IMAGE:-postgres:18} ${WEIR_TEST_PORT:-1} ${WEIR_TEST_MEMORY:-1g}",
        );
        compose.config["services"]["api"]["environment"] = serde_json::json!({
            "WEIR_TEST_MODE": "group", "WEIR_TEST_PORT": "8081", "WEIR_TEST_NONE": null });
        compose.dotenv = assignments(
            "WEIR_TEST_MODE=group\nWEIR_TEST_CPUS=4\nWEIR_TEST_IMAGE=postgres:17\nWEIR_TEST_PORT=9\nWEIR_TEST_ELSE=1\n",
        );
        let given = compose.given_settings(&["api".into()]);
        assert_eq!(
            settings::to_shell(&given),
            "WEIR_TEST_CPUS=4 WEIR_TEST_IMAGE=postgres:17 WEIR_TEST_MODE=group "
        );
        assert!(!compose.given_settings(&[]).contains_key("WEIR_TEST_MODE"));
    }
}
