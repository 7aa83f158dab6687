//! A connection that inserts live transactions, for whoever feeds or measures the stream.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, Result};
use lab_model::seeded::LiveTransaction;
use tokio_postgres::{Config, Statement};

use crate::Link;

/// It commits itself: one round trip, INSERT and commit together.
const INSERT: &str = "\
/* live transactions */
INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())";

/// Longest wait for the server when it connects.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A connection with its statement.
#[derive(Debug)]
pub struct LiveWriter {
    client: Link,
    insert: Statement,
}

impl LiveWriter {
    /// Connects under the name `application`; errors call the database `shown`, which names no password.
    ///
    /// # Errors
    /// The server cannot be reached, or has no such table.
    pub async fn connect(config: &Config, shown: &dyn Display, application: &str) -> Result<Self> {
        let mut config = config.clone();
        config
            .application_name(application)
            .connect_timeout(CONNECT_LIMIT);
        let client = Link::connect(&config)
            .await
            .with_context(|| format!("cannot connect to DATABASE_URL {shown}"))?;
        let insert = client.prepare(INSERT).await.context(
            "the table transactions is not as it should be: start stream or run weir seed first",
        )?;
        Ok(Self { client, insert })
    }

    /// Inserts a transaction in a database transaction of its own; answers when it is committed.
    ///
    /// # Errors
    /// It cannot be inserted.
    pub async fn insert(&self, tx_id: &str, transaction: &LiveTransaction) -> Result<()> {
        let LiveTransaction {
            from,
            to,
            amount,
            kind,
        } = transaction;
        self.client
            .execute(&self.insert, &[&tx_id, from, to, amount, kind])
            .await
            .context("a transaction cannot be inserted")?;
        Ok(())
    }
}
