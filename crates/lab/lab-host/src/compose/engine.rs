//! Which engine and which command there are.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::child::output_of;
use crate::variables;

/// Where an engine listens unless it is told otherwise.
pub(super) const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// Limit of a command that only asks.
pub(super) const QUICK: Duration = Duration::from_secs(20);

/// The socket of the engine that the `docker` command and compose use: that of DOCKER_HOST or of the context.
pub(super) async fn engine_socket() -> Result<String, String> {
    let format = "{{.Endpoints.docker.Host}}";
    let context = output_of("docker", &["context", "inspect", "--format", format], QUICK).await;
    let host = variables::inherited("DOCKER_HOST").filter(|host| !host.is_empty());
    match host.or(context) {
        Some(endpoint) => socket_of(&endpoint),
        None => Ok(DEFAULT_SOCKET.into()),
    }
}

/// The path that a container mounts to reach the engine of an endpoint.
pub(super) fn socket_of(endpoint: &str) -> Result<String, String> {
    let Some(path) = endpoint.strip_prefix("unix://") else {
        return Err(format!(
            "the Docker engine is at {endpoint}, and stats-sidecar reads a socket of this machine: name one by \
             DOCKER_SOCKET, or use an engine of this machine"
        ));
    };
    // Docker Desktop's own socket is outside its virtual machine; inside, the engine is at the usual place.
    let desktop = path.ends_with("/.docker/desktop/docker.sock")
        || path.ends_with("/.docker/run/docker.sock");
    Ok(if desktop { DEFAULT_SOCKET } else { path }.to_owned())
}

/// `WEIR_COMPOSE`, or the first of `docker compose` and `docker-compose` that answers.
pub(super) async fn command_words() -> Result<Vec<String>> {
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
