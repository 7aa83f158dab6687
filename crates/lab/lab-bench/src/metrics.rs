//! The metrics database for commands outside a session: found where it runs, else started for the command.

use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab_host::cluster::{self, Cluster, Spec};
use lab_host::compose::Compose;
use lab_host::readers::{self, Reading};
use lab_host::state::State;
use lab_host::tools::Tools;
use lab_model::targets::Targets;
use metrics_db::{MetricsDbConfig, Store};

use crate::found::{answers, last_runtime};
use crate::readers::for_readers;

const METRICS_SERVICE: &str = "postgres-metrics";

/// How long a server that was started for a command may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);

const UP_LIMIT: Duration = Duration::from_secs(120);

/// How long the metrics database of a session that is being set up is waited for.
const SESSION_LIMIT: Duration = Duration::from_secs(10);

/// How long a command waits until a session has stopped or started the metrics database of this checkout.
const READERS_LIMIT: Duration = Duration::from_secs(60);

/// A connected store. While it lives, no session of this checkout stops the server; a server that was started for commands
/// like this one ends with the last of them.
pub struct Connected {
    store: Store,
    _server: Option<Server>,
}

impl Deref for Connected {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

/// The server of this checkout, in use.
struct Server {
    state: State,
    /// None once it is given back.
    reading: Option<Reading>,
    started: Started,
}

/// Who started the server.
enum Started {
    /// A session, or somebody else: it goes on.
    Elsewhere,
    /// A command that reads, as a process.
    Native,
    /// A command that reads, in Docker.
    Docker {
        compose: Box<Compose>,
        service: &'static str,
    },
}

impl Server {
    /// The last reader asks what readers have started to stop; true where that was done. Nothing here waits.
    fn give_back(&mut self) -> bool {
        if self.reading.take().is_none() {
            return false;
        }
        let for_readers = for_readers(&self.state);
        if !for_readers.exists() || self.state.is_locked() {
            return false;
        }
        let Some(_alone) = readers::try_alone(&self.state) else {
            // Another command reads on, and stops it.
            return false;
        };
        match &self.started {
            Started::Docker { compose, service } => compose.stop_in_background(service),
            Started::Native | Started::Elsewhere => {
                cluster::ask_to_stop(&self.state, &Spec::metrics());
            }
        }
        if let Err(error) = std::fs::remove_file(&for_readers) {
            tracing::debug!(%error, "the mark of the readers' server could not be removed");
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Does `work` with the metrics database that [`connect`] finds. A server that was started for it has ended afterwards,
/// unless another command reads on.
///
/// # Errors
/// There is no such database, it was stopped meanwhile, or the work fails.
pub async fn reading<T>(
    root: &Path,
    config: &MetricsDbConfig,
    work: impl AsyncFnOnce(&Store) -> Result<T>,
) -> Result<T> {
    let mut connected = connect(root, config).await?;
    let done = work(&connected.store).await;
    if let Some(mut server) = connected._server.take() {
        drop(connected);
        if server.give_back() {
            cluster::wait_until_stopped(&server.state, &Spec::metrics(), STOP_LIMIT).await;
        }
    }
    done
}

/// Connects to `DB_HOST` and its companions where they are set, else to where the sessions of this checkout write: their
/// server, started for as long as the returned value lives where it does not run, natively or in Docker. A server at
/// localhost:5433 that this checkout did not make is used where the checkout has none, and named. The schema is there
/// afterwards.
///
/// # Errors
/// There is no such database, or it cannot be started or reached.
pub async fn connect(root: &Path, config: &MetricsDbConfig) -> Result<Connected> {
    if is_chosen(config) {
        return connected(config, None).await;
    }
    let state = State::open(root)?;
    // From here on no session of this checkout stops the server.
    let reading = readers::read(&state, READERS_LIMIT).await?;
    let server = |reading, started| Server {
        state: state.clone(),
        reading: Some(reading),
        started,
    };
    let spec = Spec::metrics();
    if let Some(port) = spec.running_port(&state) {
        let server = server(reading, Started::Elsewhere);
        return connected(&at(config, port), Some(server)).await;
    }
    if last_runtime(&state).as_deref() == Some("docker") {
        let (config, compose) = docker_metrics(root, &state)
            .await
            .context("the metrics database of the last session is in Docker")?;
        let started = docker_started(compose);
        return connected(&config, Some(server(reading, started))).await;
    }
    if !spec.exists(&state) {
        anyhow::ensure!(
            answers(&config.host, config.port),
            "there is no metrics database yet: nothing answers at {}:{} (DB_HOST, DB_PORT), and no session has been \
             run in this checkout",
            config.host,
            config.port
        );
        tracing::warn!(
            "no session has been run in this checkout: the metrics database at {}:{} is used, which somebody else \
             started; DB_HOST and DB_PORT name another one",
            config.host,
            config.port
        );
        let server = server(reading, Started::Elsewhere);
        return connected(config, Some(server)).await;
    }
    if state.is_locked() {
        // A session is being set up: it is about to start the same server.
        drop(reading);
        let port = session_port(&state, &spec).await.context(
            "a session is being set up and its metrics database does not run yet: try again in a moment",
        )?;
        let reading = readers::read(&state, READERS_LIMIT).await?;
        let server = server(reading, Started::Elsewhere);
        return connected(&at(config, port), Some(server)).await;
    }
    drop(reading);
    let (port, reading) = start_for_readers(root, &state, &spec).await?;
    let server = server(reading, Started::Native);
    connected(&at(config, port), Some(server)).await
}

/// Starts the native server for commands that read, unless another one has done so meanwhile; it goes on until the last of
/// them ends.
async fn start_for_readers(root: &Path, state: &State, spec: &Spec<'_>) -> Result<(u16, Reading)> {
    let alone = readers::alone(state, READERS_LIMIT).await?;
    let port = match spec.running_port(state) {
        Some(port) => port,
        None => {
            let tools = Tools::find_or_fetch(root, &state.log("native-tools")).await?;
            let cluster = Cluster::start(state, &tools.pg_bin, spec)
                .await
                .with_context(|| spec.name.to_owned())?;
            std::fs::write(for_readers(state), "")?;
            let port = cluster.port;
            cluster.leave_running();
            port
        }
    };
    Ok((port, alone.share()?))
}

fn docker_started(compose: Option<Compose>) -> Started {
    let service = METRICS_SERVICE;
    compose.map_or(Started::Elsewhere, |compose| Started::Docker {
        compose: Box::new(compose),
        service,
    })
}

/// True where the caller says where the metrics database is, by a flag or a variable.
pub fn is_chosen(config: &MetricsDbConfig) -> bool {
    let anywhere = MetricsDbConfig {
        connect_timeout: config.connect_timeout,
        ..MetricsDbConfig::default()
    };
    *config != anywhere || std::env::var_os("DB_HOST").is_some()
}

/// The metrics database in a cluster of this machine.
pub fn config_of(cluster: &Cluster) -> MetricsDbConfig {
    let login = cluster.login();
    MetricsDbConfig {
        host: "127.0.0.1".into(),
        port: login.port,
        name: login.database.into(),
        user: login.user.into(),
        password: login.password.into(),
        ..Default::default()
    }
}

/// The database of a session of this machine.
fn at(config: &MetricsDbConfig, port: u16) -> MetricsDbConfig {
    MetricsDbConfig {
        host: "127.0.0.1".into(),
        port,
        ..config.clone()
    }
}

/// The port of the server that a starting session brings up, once it accepts connections.
async fn session_port(state: &State, spec: &Spec<'_>) -> Option<u16> {
    let deadline = Instant::now() + SESSION_LIMIT;
    loop {
        if let Some(port) = spec
            .running_port(state)
            .filter(|port| answers("127.0.0.1", *port))
        {
            return Some(port);
        }
        if Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn connected(config: &MetricsDbConfig, server: Option<Server>) -> Result<Connected> {
    let store = Store::connect(config).await?;
    store.migrate().await?;
    Ok(Connected {
        store,
        _server: server,
    })
}

/// Where the metrics database in Docker is, and, where it had to be started for this command, how it is stopped.
async fn docker_metrics(root: &Path, state: &State) -> Result<(MetricsDbConfig, Option<Compose>)> {
    let service = METRICS_SERVICE;
    let compose = Compose::find(root, &Targets::load(root)?.compose_profiles()).await?;
    let running = compose.container(service).await.is_some();
    // A session that is on may have given it other settings, for which `up` would make it anew.
    if !running {
        compose
            .run(&["up", "-d", "--no-build", "--wait", service], UP_LIMIT)
            .await?;
        std::fs::write(for_readers(state), "")?;
    }
    let config = MetricsDbConfig {
        host: "127.0.0.1".into(),
        port: compose.published(service, 5432).await?,
        password: compose.password(service),
        ..MetricsDbConfig::default()
    };
    Ok((config, (!running).then_some(compose)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_setting_but_the_patience_says_where_the_database_is() {
        let default = MetricsDbConfig::default();
        // The variable alone says it too, also where its value is the default.
        let by_variable = std::env::var_os("DB_HOST").is_some();
        assert_eq!(is_chosen(&default), by_variable);
        let patient = MetricsDbConfig {
            connect_timeout: Duration::from_secs(60),
            ..default.clone()
        };
        assert_eq!(is_chosen(&patient), by_variable);
        for chosen in [
            at(&default, 5433),
            MetricsDbConfig {
                port: 6000,
                ..default.clone()
            },
            MetricsDbConfig {
                name: "other".into(),
                ..default.clone()
            },
            MetricsDbConfig {
                user: "me".into(),
                ..default.clone()
            },
            MetricsDbConfig {
                password: "s3cret".into(),
                ..default.clone()
            },
        ] {
            assert!(is_chosen(&chosen), "{chosen:?}");
        }
    }
}
