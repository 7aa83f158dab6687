//! The upsert of ingestion for events from another source (the sink), in a transaction of the caller's.

use std::time::Duration;

use domain::Event;
use runtime::postgres::{Connection, DatabaseError, Schema};

use crate::batch;
use crate::store;

/// How long a merge waits for a row that another transaction has locked.
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// The schema of the entities.
#[must_use]
pub fn schema() -> Schema {
    store::schema()
}

/// Creates or merges the entities of `events`, in their order, in one statement.
///
/// # Errors
/// PostgreSQL refused the statement, or could not be reached; then nothing is written.
pub async fn merge(client: &Connection, events: &[Event]) -> Result<(), DatabaseError> {
    if events.is_empty() {
        return Ok(());
    }
    let rows = batch::fold(events.iter().flat_map(Event::entities));
    store::upsert(client, &rows, LOCK_WAIT).await
}
