//! `docker compose` as a command, and the file that it reads.
//!
//! - `engine`: which engine and which command there are · `answers`: reading what compose answers

mod answers;
mod engine;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::child::{output_of, tail};
use crate::port::{free_port, is_free};
use crate::variables::{self, Variables};
use answers::{assignments, number, told};
use engine::{DEFAULT_SOCKET, QUICK, command_words, engine_socket};

/// How the names of the variables end that set limits and versions.
const LIMITS: [&str; 5] = ["_CPUS", "_MEMORY", "_RESERVED", "_GOMEMLIMIT", "_IMAGE"];

/// How compose is called for this checkout.
#[derive(Clone, Debug)]
pub struct Compose {
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
    /// The socket of the engine that compose uses, or why there is none that a container can mount.
    engine: Result<String, String>,
}

impl Compose {
    /// Finds an engine and a compose command that can read the file of this checkout, with these profiles of it.
    pub async fn find(root: &Path, profiles: &[&str]) -> Result<Self> {
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
        // Compose would wait for ever for a FIFO of that name, and fail for a folder.
        let dotenv = root.join(".env");
        if dotenv.exists() && !dotenv.is_file() {
            tracing::warn!("{} is not a regular file and is not read", dotenv.display());
            words.extend(["--env-file".to_owned(), "/dev/null".to_owned()]);
        }
        for profile in profiles {
            words.extend(["--profile".to_owned(), (*profile).to_owned()]);
        }
        let mut compose = Self {
            root: root.into(),
            words,
            env: Variables::new(),
            service_env: Variables::new(),
            dotenv: Variables::new(),
            config: Value::Null,
            text,
            engine: engine_socket().await,
        };
        compose.dotenv = compose.variables().await;
        compose.env = compose.lab_environment(root).await;
        let config = compose.run(&["config", "--format", "json"], QUICK).await?;
        compose.config = serde_json::from_str(&config).context("docker compose config")?;
        Ok(compose)
    }

    /// An error where the sampler cannot reach the engine that compose uses.
    ///
    /// # Errors
    /// The engine is not on a socket of this machine, and `DOCKER_SOCKET` names none.
    pub fn check_sampled_engine(&self) -> Result<()> {
        match &self.engine {
            Err(problem) if self.given("DOCKER_SOCKET").is_none() => bail!("{problem}"),
            _ => Ok(()),
        }
    }

    /// What the caller has set, in the environment or in the `.env` that compose reads.
    pub fn given(&self, name: &str) -> Option<String> {
        variables::inherited(name).or_else(|| self.dotenv.get(name).cloned())
    }

    /// Sets a variable for all further calls.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.into(), value.into());
    }

    /// The variables that compose puts into the file.
    async fn variables(&self) -> Variables {
        match self.run(&["config", "--environment"], QUICK).await {
            Ok(text) => assignments(&text),
            // Compose before 2.28 does not tell.
            Err(error) => {
                tracing::debug!(%error, "reading .env without compose");
                match env_file::read(&self.root.join(".env")) {
                    Ok(found) => {
                        for warning in found.warnings {
                            tracing::warn!("{warning}");
                        }
                        found.variables
                    }
                    Err(error) => {
                        tracing::warn!("{error}: what it sets is not recorded");
                        Variables::new()
                    }
                }
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
        let socket = match self.given("DOCKER_SOCKET") {
            Some(socket) => socket,
            None => self
                .engine
                .clone()
                .unwrap_or_else(|_| DEFAULT_SOCKET.into()),
        };
        unless_set("DOCKER_SOCKET", Some(socket.clone()));
        let group = std::fs::metadata(socket)
            .ok()
            .map(|meta| std::os::unix::fs::MetadataExt::gid(&meta));
        unless_set("DOCKER_GID", group.map(|gid| gid.to_string()));
        unless_set("GIT_COMMIT", crate::environment::git_commit(root).await);
        env
    }

    /// The command with these arguments, not started.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
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
    pub async fn run(&self, args: &[&str], limit: Duration) -> Result<String> {
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
    pub fn stop_in_background(&self, service: &str) {
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
    pub async fn run_logged(&self, args: &[String], log: &Path, limit: Duration) -> Result<()> {
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
    pub async fn container(&self, service: &str) -> Option<String> {
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
    pub async fn published(&self, service: &str, port: u16) -> Result<u16> {
        let text = self
            .run(&["port", service, &port.to_string()], QUICK)
            .await?;
        text.trim()
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok())
            .with_context(|| format!("{service} does not publish port {port}"))
    }

    /// Moves the published ports of a service that is not running off those that somebody else has.
    pub fn avoid_taken_ports(&mut self, service: &str) -> Result<()> {
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

    /// What the lab sets for the target of the moment, in place of what it set for the one before: the file passes these
    /// on. Ports are left out: a container has its own.
    pub fn set_service_environment(&mut self, mut wanted: Variables) {
        wanted.retain(|name, _| !name.ends_with("_PORT"));
        self.service_env = wanted;
    }

    /// All that the container of a service is told where the lab sets `wanted`.
    pub async fn settings(&self, wanted: Variables, service: &str) -> Result<Variables> {
        let mut compose = self.clone();
        compose.set_service_environment(wanted);
        let config = compose.run(&["config", "--format", "json"], QUICK).await?;
        let config = serde_json::from_str(&config).context("docker compose config")?;
        Ok(told(&config, service))
    }

    /// What the caller has set of what these services are told, and of the limits and images.
    pub fn given_settings(&self, services: &[String]) -> Variables {
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
        all
    }

    /// What a database of the file was made with.
    pub fn password(&self, service: &str) -> String {
        let told = told(&self.config, service);
        let password = told.get("POSTGRES_PASSWORD").cloned();
        password.unwrap_or_else(|| "password".into())
    }

    /// Full names of the volumes that a service mounts.
    pub fn volumes(&self, service: &str) -> Vec<String> {
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
    pub fn image(&self, service: &str) -> Option<String> {
        let project = self.config["name"].as_str()?;
        match self.config["services"][service]["image"].as_str() {
            Some(image) => Some(image.to_owned()),
            None => Some(format!("{project}-{service}")),
        }
    }

    /// Id of that image, where it is here.
    pub async fn image_id(&self, service: &str) -> Option<String> {
        let image = self.image(service)?;
        output_of(
            "docker",
            &["image", "inspect", "--format", "{{.Id}}", &image],
            QUICK,
        )
        .await
    }

    /// CPUs that the file grants a service.
    pub fn cpus(&self, service: &str) -> Option<f64> {
        let of = |key: &str| number(&self.config["services"][service][key]);
        Some(of("cpu_quota")? / of("cpu_period").unwrap_or(100_000.0))
    }

    /// CPU and memory limits of a service, as the fingerprint holds them.
    pub fn limits(&self, service: &str) -> Value {
        let memory = &self.config["services"][service]["deploy"]["resources"]["limits"]["memory"];
        serde_json::json!({ "cpus": self.cpus(service), "memory_bytes": memory })
    }
}

#[cfg(test)]
mod tests;
