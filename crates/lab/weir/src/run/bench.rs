//! Where cells are measured: the runtime, the metrics database, the display, and the user's wish to stop.

use std::path::PathBuf;

use anyhow::Result;
use lab_bench::backend::Backend;
use lab_bench::progress::Progress;
use lab_model::access::Access;
use lab_model::plan::Plan;
use metrics_db::Store;

use super::stop::Stop;
use crate::own::service::Own;

/// What the steps of every cell work with. None of them changes what is planned.
pub(crate) struct Bench {
    /// The repository.
    pub(crate) root: PathBuf,
    /// The session's id.
    pub(crate) session: String,
    /// What is measured, and under which load.
    pub(crate) plan: Plan,
    /// Docker or native.
    pub(crate) backend: Backend,
    /// The metrics database.
    pub(crate) store: Store,
    /// What the fingerprint hashes.
    pub(crate) environment: serde_json::Value,
    /// What the user sees.
    pub(crate) progress: Progress,
    /// Whether the user wants it to end.
    pub(crate) stop: Stop,
    /// What is shown to targets that somebody else has started.
    pub(crate) access: Access,
    /// The services are debug builds, whose figures mean nothing.
    pub(crate) debug_build: bool,
    /// A user's own services; none: those of this repository.
    pub(crate) own: Option<Own>,
}

/// Records what the session runs, as it stands now.
pub(super) async fn record_plan(store: &Store, session: &str, plan: &Plan) -> Result<()> {
    let mut recorded = serde_json::to_value(&plan.request)?;
    // The report reads the mode from here, whatever the file says by then.
    recorded["load"] = serde_json::to_value(&plan.mode)?;
    let drivers = plan.targets().into_iter();
    let drivers =
        drivers.filter_map(|target| Some((target.name.clone(), target.driver.clone()?.into())));
    recorded["database_drivers"] = drivers.collect::<serde_json::Map<_, _>>().into();
    store.set_session_plan(session, &recorded).await?;
    Ok(())
}
