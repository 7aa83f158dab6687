//! A pooled connection that goes back to the pool only when its statement ended.

use std::ops::Deref;
use std::time::Duration;

use deadpool_postgres::{Client, Object};
use tokio_postgres::NoTls;

/// Limit on telling PostgreSQL that an abandoned statement may stop.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// Dropped before [`Connection::give_back`], it cancels the statement under way and closes the connection: the next
/// user must not wait behind a statement that nobody waits for.
#[derive(Debug)]
pub struct Connection(Option<Client>);

impl Connection {
    /// Guards what the pool gave.
    pub fn new(client: Client) -> Self {
        Self(Some(client))
    }

    /// Gives the connection back to the pool: its statements have ended.
    pub fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.0
            .as_ref()
            .expect("present until given back or dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(client) = self.0.take() else { return };
        let cancel = client.cancel_token();
        drop(Object::take(client));
        // Detached: it ends by itself within CANCEL_TIMEOUT.
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            handle.spawn(async move {
                if let Ok(Err(error)) =
                    tokio::time::timeout(CANCEL_TIMEOUT, cancel.cancel_query(NoTls)).await
                {
                    tracing::debug!(%error, "an abandoned statement could not be cancelled");
                }
            });
        }
    }
}
