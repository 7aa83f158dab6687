//! The two databases for commands outside a session: found where they run, else started for the command.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab_contract::application_db::ApplicationDb;
use lab_host::cluster::{Cluster, Spec};
use lab_host::compose::Compose;
use lab_host::state::State;
use lab_host::tools::Tools;
use lab_model::targets::Targets;
use metrics_db::{MetricsDbConfig, Store};

use crate::run::profiles;

const UP_LIMIT: Duration = Duration::from_secs(120);

/// How long the metrics database of a session that is being set up is waited for.
const SESSION_LIMIT: Duration = Duration::from_secs(10);

/// A connected store; what had to be started for it is stopped when this is dropped.
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

/// A database server that lives as long as the command.
enum Server {
    Native {
        _cluster: Cluster,
    },
    Docker {
        compose: Compose,
        service: &'static str,
    },
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Docker { compose, service } = self {
            compose.stop_in_background(service);
        }
    }
}

/// Connects to `DB_HOST` and its companions where they are set, else to localhost:5433 where it answers,
/// else starts the metrics database of the last session (native or Docker) for as long as the returned value
/// lives. The schema is there afterwards.
pub async fn connect(root: &Path, config: &MetricsDbConfig) -> Result<Connected> {
    if is_chosen(config) {
        return connected(config, None).await;
    }
    let state = State::open(root)?;
    if answers(&config.host, config.port) {
        let found = connected(config, None).await;
        // Containers' databases may have been made with a password that compose alone knows.
        return match found {
            Err(_) if last_runtime(&state).as_deref() == Some("docker") => {
                docker_metrics(root).await.or(found)
            }
            found => found,
        };
    }
    let spec = Spec::metrics();
    if let Some(port) = spec.running_port(&state) {
        // A session is on, on a port of its own.
        return connected(&at(config, port), None).await;
    }
    if last_runtime(&state).as_deref() == Some("docker") {
        return docker_metrics(root)
            .await
            .context("the metrics database of the last session is in Docker");
    }
    anyhow::ensure!(
        spec.exists(&state),
        "there is no metrics database yet: nothing answers at {}:{} (DB_HOST, DB_PORT), and no session has been \
         run in this checkout",
        config.host,
        config.port
    );
    let cluster = match native(root, &state, &spec).await {
        Ok(cluster) => cluster,
        // Whoever holds the lock is about to start the same server.
        Err(error) if state.is_locked() => {
            let port = session_port(&state, &spec).await;
            let port = port.ok_or(error).context(
                "a session is being set up and its metrics database does not run yet: try again in a moment",
            )?;
            return connected(&at(config, port), None).await;
        }
        Err(error) => return Err(error),
    };
    let config = config_of(&cluster);
    connected(&config, Some(Server::Native { _cluster: cluster })).await
}

/// True where the caller says where the metrics database is, by a flag or a variable.
pub(crate) fn is_chosen(config: &MetricsDbConfig) -> bool {
    let anywhere = MetricsDbConfig {
        connect_timeout: config.connect_timeout,
        ..MetricsDbConfig::default()
    };
    *config != anywhere || std::env::var_os("DB_HOST").is_some()
}

/// The metrics database in a cluster of this machine.
pub(crate) fn config_of(cluster: &Cluster) -> MetricsDbConfig {
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

/// The application database for `weir audit`: `url` where it is given, else where the last session had it.
pub async fn application(
    root: &Path,
    url: Option<&str>,
) -> Result<(ApplicationDb, impl Sized + use<>)> {
    if let Some(url) = url {
        return Ok((ApplicationDb::connect(url).await?, None));
    }
    let state = State::open(root)?;
    let spec = Spec::application(root);
    if last_runtime(&state).as_deref() == Some("native") && spec.exists(&state) {
        if let Some(port) = spec.running_port(&state) {
            return Ok((
                ApplicationDb::connect(&application_url(port, "password")).await?,
                None,
            ));
        }
        let cluster = native(root, &state, &spec).await?;
        return Ok((ApplicationDb::connect(&cluster.url()).await?, Some(cluster)));
    }
    if last_runtime(&state).as_deref() == Some("docker")
        && let Some(url) = docker_application(root).await
    {
        return Ok((ApplicationDb::connect(&url).await?, None));
    }
    anyhow::ensure!(
        answers("127.0.0.1", 5432),
        "the application database does not run: start it (docker compose up -d postgres-large) or give --database-url"
    );
    Ok((
        ApplicationDb::connect(&application_url(5432, "password")).await?,
        None,
    ))
}

/// The application database in its container, with the port and the password that compose gave it; none where it does not
/// run.
async fn docker_application(root: &Path) -> Option<String> {
    let service = "postgres-large";
    let compose = Compose::find(root, &profiles(&Targets::load(root).ok()?))
        .await
        .ok()?;
    let port = compose.published(service, 5432).await.ok()?;
    Some(application_url(port, &compose.password(service)))
}

/// The application database of this machine.
pub(crate) fn application_url(port: u16, password: &str) -> String {
    format!("postgresql://postgres:{password}@127.0.0.1:{port}/car_entities")
}

async fn connected(config: &MetricsDbConfig, server: Option<Server>) -> Result<Connected> {
    let store = Store::connect(config).await?;
    store.migrate().await?;
    Ok(Connected {
        store,
        _server: server,
    })
}

async fn native(root: &Path, state: &State, spec: &Spec<'_>) -> Result<Cluster> {
    let _lock = state.lock()?;
    let tools = Tools::find_or_fetch(root, &state.log("native-tools")).await?;
    Cluster::start(state, &tools.pg_bin, spec)
        .await
        .with_context(|| spec.name.to_owned())
}

async fn docker_metrics(root: &Path) -> Result<Connected> {
    let service = "postgres-metrics";
    let compose = Compose::find(root, &profiles(&Targets::load(root)?)).await?;
    let running = compose.container(service).await.is_some();
    // A session that is on may have given it other settings, for which `up` would make it anew.
    if !running {
        compose
            .run(&["up", "-d", "--no-build", "--wait", service], UP_LIMIT)
            .await?;
    }
    let port = compose.published(service, 5432).await?;
    let password = compose.password(service);
    let server = (!running).then_some(Server::Docker { compose, service });
    let config = MetricsDbConfig {
        host: "127.0.0.1".into(),
        port,
        password,
        ..MetricsDbConfig::default()
    };
    connected(&config, server).await
}

/// `docker` or `native`.
fn last_runtime(state: &State) -> Option<String> {
    std::fs::read_to_string(state.dir.join("last-runtime"))
        .ok()
        .map(|text| text.trim().to_owned())
}

/// True where something accepts connections there.
fn answers(host: &str, port: u16) -> bool {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map(Iterator::collect)
        .unwrap_or_default();
    addresses
        .iter()
        .any(|address| TcpStream::connect_timeout(address, Duration::from_millis(500)).is_ok())
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
