//! The connection to the metrics database for commands outside a session.

use std::ops::Deref;
use std::path::Path;

use anyhow::Result;
use metrics_db::{MetricsDbConfig, Store};

/// A connected store; what had to be started for it is stopped when this is dropped.
pub struct Connected {
    store: Store,
}

impl Deref for Connected {
    type Target = Store;
    fn deref(&self) -> &Store {
        &self.store
    }
}

/// Connects to `DB_HOST` and its companions where they are set, else to localhost:5433 where it answers,
/// else starts the native metrics cluster for as long as the returned value lives.
pub async fn connect(_root: &Path, config: &MetricsDbConfig) -> Result<Connected> {
    Ok(Connected { store: Store::connect(config).await? })
}
