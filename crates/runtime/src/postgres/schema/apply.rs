//! Applies migrations inside one transaction, so that its lock and its settings end with it.

use anyhow::Context;
use refinery::{AsyncMigrate, Migration};
use refinery_core::traits::r#async::{AsyncQuery, AsyncTransaction};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::{Error, SimpleQueryMessage, Transaction};

/// How long a migration waits for locks: the advisory one of another starting service, and those on tables.
const SETTINGS: &str = "\
/* runtime::postgres::schema */
SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL client_min_messages = warning";

/// Applies what is missing under the advisory lock `key`, notes it in the table `history`, and says how many migrations that
/// were. Nothing is committed here.
pub(super) async fn all(
    transaction: &Transaction<'_>,
    key: i64,
    history: &str,
    mut migrations: refinery::Runner,
) -> anyhow::Result<usize> {
    transaction.batch_execute(SETTINGS).await?;
    // The key is a number of ours: it needs no parameter, and so no prepared statement.
    let lock = format!("/* runtime::postgres::schema */ SELECT pg_advisory_xact_lock({key})");
    transaction
        .batch_execute(&lock)
        .await
        .context("no lock for the schema")?;
    migrations.set_migration_table_name(history);
    let report = migrations
        .run_async(&mut Inside(transaction))
        .await
        .context("the schema cannot be applied")?;
    Ok(report.applied_migrations().len())
}

/// Runs what refinery asks for inside a transaction that is already open, where refinery would open its own.
struct Inside<'a>(&'a Transaction<'a>);

impl AsyncTransaction for Inside<'_> {
    type Error = Error;

    async fn execute<'a, T: Iterator<Item = &'a str> + Send + 'a>(
        &'a mut self,
        queries: T,
    ) -> Result<usize, Error> {
        let mut count = 0;
        for query in queries {
            self.0.batch_execute(query).await?;
            count += 1;
        }
        Ok(count)
    }
}

impl AsyncQuery<Vec<Migration>> for Inside<'_> {
    async fn query<'a>(&'a mut self, query: &'a str) -> Result<Vec<Migration>, Error> {
        let messages = self.0.simple_query(query).await?;
        Ok(messages.iter().filter_map(applied).collect())
    }
}

impl AsyncMigrate for Inside<'_> {}

/// A row of refinery's history: version, name, time, checksum.
fn applied(message: &SimpleQueryMessage) -> Option<Migration> {
    let SimpleQueryMessage::Row(row) = message else {
        return None;
    };
    let version = row.get(0)?.parse().ok()?;
    let at = OffsetDateTime::parse(row.get(2)?, &Rfc3339).ok()?;
    let checksum = row.get(3)?.parse().ok()?;
    Some(Migration::applied(
        version,
        row.get(1)?.to_owned(),
        at,
        checksum,
    ))
}
