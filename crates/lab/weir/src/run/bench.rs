//! Where cells are measured: the runtime, the metrics database, the display, and the user's wish to stop.

use std::path::PathBuf;

use lab_bench::backend::Backend;
use lab_bench::progress::Progress;
use lab_model::access::Access;
use lab_model::plan::Plan;
use metrics_db::Store;

use super::stop::Stop;

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
    /// What the user sees.
    pub(crate) progress: Progress,
    /// Whether the user wants it to end.
    pub(crate) stop: Stop,
    /// What is shown to targets that somebody else has started.
    pub(crate) access: Access,
    /// The services are debug builds, whose figures mean nothing.
    pub(crate) debug_build: bool,
}
