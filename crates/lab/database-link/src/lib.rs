//! A connection to PostgreSQL that says why it ended, for the programs of the lab. Services have a pool (`runtime::postgres`).
//!
//! A statement on a connection that has ended fails with "connection closed". Why it ended, the server has told the
//! connection, not the statement. [`live`] is one that inserts live transactions.

pub mod live;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::watch;
use tokio_postgres::types::ToSql;
use tokio_postgres::{
    Client, Config, Error, NoTls, Row, SimpleQueryMessage, Statement, ToStatement,
};

/// How long the reason may take to arrive after a statement has failed.
const REASON_LIMIT: Duration = Duration::from_secs(1);

/// A connection and its client.
#[derive(Debug)]
pub struct Link {
    client: Client,
    /// Why the connection ended; none while it lives.
    ended: watch::Receiver<Option<String>>,
}

impl Link {
    /// Connects. The connection lives as long as this value.
    ///
    /// # Errors
    /// The server cannot be reached or refuses.
    pub async fn connect(config: &Config) -> Result<Self> {
        let (client, connection) = config.connect(NoTls).await?;
        let (said, ended) = watch::channel(None);
        // Ends with the client; what it ends with is kept for the statement that fails by it.
        tokio::spawn(async move {
            let reason = match connection.await {
                Ok(()) => "the server closed it without a reason".to_owned(),
                Err(error) => format!("{:#}", anyhow::Error::from(error)),
            };
            said.send_replace(Some(reason));
        });
        Ok(Self { client, ended })
    }

    /// As [`Client::query`].
    ///
    /// # Errors
    /// The statement fails; where the connection has ended, the error says why.
    pub async fn query(
        &self,
        sql: &(impl ToStatement + ?Sized),
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        self.explained(self.client.query(sql, values).await).await
    }

    /// As [`Client::query_one`].
    ///
    /// # Errors
    /// As of [`Link::query`].
    pub async fn query_one(
        &self,
        sql: &(impl ToStatement + ?Sized),
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row> {
        self.explained(self.client.query_one(sql, values).await)
            .await
    }

    /// As [`Client::query_opt`].
    ///
    /// # Errors
    /// As of [`Link::query`].
    pub async fn query_opt(
        &self,
        sql: &(impl ToStatement + ?Sized),
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        self.explained(self.client.query_opt(sql, values).await)
            .await
    }

    /// As [`Client::execute`].
    ///
    /// # Errors
    /// As of [`Link::query`].
    pub async fn execute(
        &self,
        sql: &(impl ToStatement + ?Sized),
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<u64> {
        self.explained(self.client.execute(sql, values).await).await
    }

    /// As [`Client::batch_execute`].
    ///
    /// # Errors
    /// As of [`Link::query`].
    pub async fn batch_execute(&self, sql: &str) -> Result<()> {
        self.explained(self.client.batch_execute(sql).await).await
    }

    /// As [`Client::simple_query`].
    ///
    /// # Errors
    /// As of [`Link::query`].
    pub async fn simple_query(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>> {
        self.explained(self.client.simple_query(sql).await).await
    }

    /// As [`Client::prepare`].
    ///
    /// # Errors
    /// As of [`Link::query`].
    pub async fn prepare(&self, sql: &str) -> Result<Statement> {
        self.explained(self.client.prepare(sql).await).await
    }

    async fn explained<T>(&self, outcome: Result<T, Error>) -> Result<T> {
        let error = match outcome {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if !error.is_closed() && !self.client.is_closed() {
            return Err(error.into());
        }
        let mut ended = self.ended.clone();
        let told = tokio::time::timeout(REASON_LIMIT, ended.wait_for(Option::is_some)).await;
        match told.context("no reason was given in time") {
            Ok(Ok(reason)) => {
                let reason = reason.as_deref().unwrap_or_default();
                bail!("the connection to the database ended: {reason}")
            }
            _ => Err(error.into()),
        }
    }
}
