//! The application database for commands outside a session: found where it runs, else started for the command.

use std::path::Path;

use anyhow::{Context, Result};
use lab_contract::application_db::ApplicationDb;
use lab_host::cluster::{Cluster, Spec};
use lab_host::compose::Compose;
use lab_host::state::State;
use lab_host::tools::Tools;
use lab_model::targets::Targets;

use crate::found::{answers, last_runtime};

/// Does `work` with the application database: at `url` where it is given, else where the last session had it. A server that
/// has to be started holds the checkout's lock, and has ended afterwards.
///
/// # Errors
/// There is no such database, or the work fails.
pub async fn reading<T>(
    root: &Path,
    url: Option<&str>,
    work: impl AsyncFnOnce(&ApplicationDb) -> Result<T>,
) -> Result<T> {
    if let Some(url) = url {
        return work(&ApplicationDb::connect(url).await?).await;
    }
    let state = State::open(root)?;
    let spec = Spec::application(root);
    if last_runtime(&state).as_deref() == Some("native") && spec.exists(&state) {
        if let Some(port) = spec.running_port(&state) {
            let url = application_url(port, "password");
            return work(&ApplicationDb::connect(&url).await?).await;
        }
        let _lock = state.lock()?;
        let tools = Tools::find_or_fetch(root, &state.log("native-tools")).await?;
        let cluster = Cluster::start(&state, &tools.pg_bin, &spec)
            .await
            .with_context(|| spec.name.to_owned())?;
        let done = async { work(&ApplicationDb::connect(&cluster.url()).await?).await };
        let done = done.await;
        cluster.stop().await?;
        return done;
    }
    if last_runtime(&state).as_deref() == Some("docker")
        && let Some(url) = docker_application(root).await
    {
        return work(&ApplicationDb::connect(&url).await?).await;
    }
    anyhow::ensure!(
        answers("127.0.0.1", 5432),
        "the application database does not run: start it (docker compose up -d postgres-large) or give --database-url"
    );
    work(&ApplicationDb::connect(&application_url(5432, "password")).await?).await
}

/// The application database in its container, with the port and the password that compose gave it; none where it does not
/// run.
async fn docker_application(root: &Path) -> Option<String> {
    let service = "postgres-large";
    let compose = Compose::find(root, &Targets::load(root).ok()?.compose_profiles())
        .await
        .ok()?;
    let port = compose.published(service, 5432).await.ok()?;
    Some(application_url(port, &compose.password(service)))
}

/// The application database of this machine.
pub fn application_url(port: u16, password: &str) -> String {
    format!("postgresql://postgres:{password}@127.0.0.1:{port}/car_entities")
}
