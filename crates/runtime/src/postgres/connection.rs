//! A pooled connection that goes back to the pool only when its statement ended and its session is sound.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Client, Object};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, SimpleQueryMessage};

use super::error::DatabaseError;
use super::tls::Connector;

/// Limit on telling PostgreSQL that an abandoned statement may stop.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// A statement's parameter and its type.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Dropped before [`Connection::give_back`], it cancels the statement under way and closes the connection: the next
/// user must not wait behind a statement that nobody waits for.
#[derive(Debug)]
pub struct Connection {
    client: Option<Client>,
    connector: Connector,
    /// Whether sessions are shared, so that a prepared statement may meet another client.
    pooled: Arc<AtomicBool>,
}

impl Connection {
    /// Guards what the pool gave.
    pub(super) fn new(client: Client, connector: Connector, pooled: Arc<AtomicBool>) -> Self {
        Self {
            client: Some(client),
            connector,
            pooled,
        }
    }

    /// Gives the connection back to the pool: its statements have ended.
    pub fn give_back(mut self) {
        drop(self.client.take());
    }

    /// Closes the connection, under whose statements none is under way.
    pub fn close(mut self) {
        drop(self.client.take().map(Object::take));
    }

    /// Gives the connection back after a statement, unless its session may be the reason why the statement failed: then
    /// it is closed, so that a session's state does not outlive its cause.
    pub fn give_back_after<T>(self, done: &Result<T, DatabaseError>) {
        if done.as_ref().is_err_and(DatabaseError::spoils_session) {
            self.close();
        } else {
            self.give_back();
        }
    }

    /// Runs a statement and returns the number of rows that it touched.
    ///
    /// # Errors
    /// Those of PostgreSQL and of the connection.
    pub async fn execute(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, DatabaseError> {
        if !self.is_pooled() {
            match self.execute_prepared(statement, parameters).await {
                Err(error) if self.shows_a_pooler(&error) => {}
                done => return Ok(done?),
            }
        }
        Ok(self.execute_typed(statement, parameters).await?)
    }

    /// Runs a statement and returns its rows.
    ///
    /// # Errors
    /// Those of PostgreSQL and of the connection.
    pub async fn query(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, DatabaseError> {
        if !self.is_pooled() {
            match self.query_prepared(statement, parameters).await {
                Err(error) if self.shows_a_pooler(&error) => {}
                done => return Ok(done?),
            }
        }
        Ok(self.query_typed(statement, parameters).await?)
    }

    async fn execute_prepared(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, Error> {
        let (values, types) = split(parameters);
        let statement = self.prepare_typed_cached(statement, &types).await?;
        let client: &Client = self;
        client.execute(&statement, &values).await
    }

    async fn query_prepared(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        let (values, types) = split(parameters);
        let statement = self.prepare_typed_cached(statement, &types).await?;
        let client: &Client = self;
        client.query(&statement, &values).await
    }

    fn is_pooled(&self) -> bool {
        self.pooled.load(Ordering::Relaxed)
    }

    /// Whether the session lacks a statement that was prepared, or knows one that was not: it is another one than before.
    /// Nothing was executed then.
    fn shows_a_pooler(&self, error: &Error) -> bool {
        let code = error.code();
        let shows = code == Some(&SqlState::INVALID_SQL_STATEMENT_NAME)
            || code == Some(&SqlState::DUPLICATE_PSTATEMENT);
        if shows && !self.pooled.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "a connection pooler stands before PostgreSQL: no more prepared statements");
        }
        shows
    }

    /// Whether the session takes writes: a standby's does not, and one that was set read-only.
    pub(super) async fn ping(&self) -> Result<bool, DatabaseError> {
        const PING: &str = "/* runtime::postgres::ping */ SHOW transaction_read_only";
        let answer = self.simple_query(PING).await?;
        let read_only = answer.iter().any(
            |message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("on")),
        );
        Ok(!read_only)
    }
}

fn split<'a>(parameters: &[Parameter<'a>]) -> (Vec<&'a (dyn ToSql + Sync)>, Vec<Type>) {
    parameters.iter().cloned().unzip()
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
            .as_ref()
            .expect("present until given back or dropped")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else {
            return;
        };
        let cancel = client.cancel_token();
        let connector = self.connector.clone();
        drop(Object::take(client));
        // Detached: it ends by itself within CANCEL_TIMEOUT.
        if let Ok(handle) = tokio::runtime::Handle::try_current() {
            handle.spawn(async move {
                if let Ok(Err(error)) =
                    tokio::time::timeout(CANCEL_TIMEOUT, cancel.cancel_query(connector)).await
                {
                    tracing::debug!(%error, "an abandoned statement could not be cancelled");
                }
            });
        }
    }
}
