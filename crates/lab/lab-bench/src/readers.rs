//! Commands that read the metrics database while a session starts or stops it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use lab_host::readers::{self, Alone};
use lab_host::state::State;

/// How long a session waits for commands that read: a report of many runs takes some seconds.
pub(crate) const READERS_LIMIT: Duration = Duration::from_secs(60);

/// The file that says that the server was started for commands that read, not by a session.
pub(crate) fn for_readers(state: &State) -> PathBuf {
    state.dir.join("metrics-for-readers")
}

/// Waits until no command reads any more; where one does for too long, the server is stopped all the same.
pub(crate) async fn wait_for_readers(state: &State) -> Option<Alone> {
    match readers::alone(state, READERS_LIMIT).await {
        Ok(alone) => Some(alone),
        Err(error) => {
            tracing::warn!("the metrics database is stopped under a reader: {error:#}");
            None
        }
    }
}

/// The server is the session's from now on: readers do not stop it.
pub(crate) fn forget_readers_server(state: &State) -> Result<()> {
    match std::fs::remove_file(for_readers(state)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("the state directory cannot be written")
        }
        _ => Ok(()),
    }
}
