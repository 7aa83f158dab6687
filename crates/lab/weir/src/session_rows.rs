//! What the metrics database holds of sessions, as reports take it.

use anyhow::{Result, bail};
use lab_report::input::{RunRows, SessionRows};
use metrics_db::{RunFilter, Store};

/// Reads all rows of the sessions.
///
/// # Errors
/// No such session, or the metrics database cannot be read.
pub(crate) async fn read(store: &Store, ids: &[String]) -> Result<Vec<SessionRows>> {
    let mut sessions = Vec::new();
    for id in ids {
        let Some(session) = store.session(id).await? else {
            bail!("there is no session {id}; `weir runs list` shows what there is");
        };
        let filter = RunFilter {
            session: Some(id.clone()),
            ..RunFilter::default()
        };
        let mut runs = Vec::new();
        for found in store.runs_with_performance(&filter).await? {
            let phases = store.phases(found.run.id).await?;
            let samples = store.samples(found.run.id).await?;
            runs.push(RunRows {
                run: found.run,
                performance: found.performance,
                phases,
                samples,
            });
        }
        runs.sort_by_key(|rows| (rows.run.run_order, rows.run.id));
        sessions.push(SessionRows { session, runs });
    }
    Ok(sessions)
}
