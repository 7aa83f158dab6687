//! What a service needs in the database, and the migrations that make it.

use anyhow::{Context, bail};
use refinery::Migration;

use super::connection::Connection;
use super::database::Database;
use super::error::DatabaseError;

mod apply;

/// The schema of one service.
pub struct Schema {
    /// The table in which refinery notes what it has applied; other services have others.
    pub history: &'static str,
    /// The migrations, from `refinery::embed_migrations!`.
    pub migrations: refinery::Runner,
    /// Key of the advisory lock under which they are applied.
    pub lock: i64,
    /// The tables and columns that the service's statements name. A role that may not read the history can serve a database
    /// in which these are there.
    pub needs: &'static [(&'static str, &'static [&'static str])],
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// All migrations are noted as applied.
    Current,
    /// Something is missing.
    Behind,
    /// There is no history that this role can read.
    Unknown,
}

impl Database {
    /// Applies what the schema holds and the database lacks. Looks first: a current schema needs no right but to read.
    /// Concurrent callers, in other processes too, take turns under the schema's advisory lock, for 60 s at most.
    ///
    /// # Errors
    /// No connection, a migration that fails (nothing is changed then), or something missing that this role, or a
    /// read-only database, cannot make.
    pub async fn migrate(&self, schema: Schema) -> anyhow::Result<()> {
        let connection = self
            .connection()
            .await
            .context("no connection for the schema")?;
        let found = look(&connection, &schema).await?;
        if found == Found::Current {
            connection.give_back();
            tracing::info!(migrations.applied = 0, "the schema is up to date");
            return Ok(());
        }
        if let Some(obstacle) = obstacle(&connection).await? {
            let missing = missing(&connection, schema.needs).await?;
            connection.give_back();
            if found == Found::Unknown && missing.is_none() {
                tracing::info!(
                    schema.history,
                    "the tables are there; the history of their schema cannot be read"
                );
                return Ok(());
            }
            let missing = missing.unwrap_or_else(|| "a later migration".to_owned());
            bail!(
                "the schema lacks {missing}, and {obstacle}; start the service once with a role that may create \
                 tables, or apply its folder of postgres/migrations"
            );
        }
        connection.give_back();
        let mut client = self.get().await.context("no connection for the schema")?;
        let transaction = client.transaction().await.map_err(DatabaseError::from)?;
        let applied =
            apply::all(&transaction, schema.lock, schema.history, schema.migrations).await?;
        transaction
            .commit()
            .await
            .context("the schema cannot be committed")?;
        tracing::info!(migrations.applied = applied, "the schema is up to date");
        Ok(())
    }
}

async fn look(connection: &Connection, schema: &Schema) -> Result<Found, DatabaseError> {
    // The simple protocol, and the name is ours: nothing is prepared, and nothing can be injected.
    let readable = format!(
        "/* runtime::postgres::schema */ SELECT 1 WHERE to_regclass('{0}') IS NOT NULL \
         AND has_table_privilege(to_regclass('{0}'), 'SELECT')",
        schema.history
    );
    if rows(connection, &readable).await?.is_empty() {
        return Ok(Found::Unknown);
    }
    let query = format!(
        "/* runtime::postgres::schema */ SELECT version, name, checksum FROM {}",
        schema.history
    );
    let applied = rows(connection, &query).await?;
    let is_applied = |migration: &Migration| {
        let (version, checksum) = (
            migration.version().to_string(),
            migration.checksum().to_string(),
        );
        applied.iter().any(|row| {
            row.first() == Some(&Some(version.clone()))
                && row.get(1).map(Option::as_deref) == Some(Some(migration.name()))
                && row.get(2) == Some(&Some(checksum.clone()))
        })
    };
    let wanted = schema.migrations.get_migrations();
    let current = applied.len() == wanted.len() && wanted.iter().all(is_applied);
    Ok(if current {
        Found::Current
    } else {
        Found::Behind
    })
}

/// Why this role cannot apply migrations here.
async fn obstacle(connection: &Connection) -> Result<Option<String>, DatabaseError> {
    const QUERY: &str = "\
/* runtime::postgres::schema */
SELECT CASE WHEN current_setting('transaction_read_only') = 'on' THEN 'the database is read-only'
            WHEN current_schema() IS NULL THEN 'search_path names no schema that exists'
            WHEN NOT has_schema_privilege(current_schema(), 'CREATE')
            THEN format('the role %I may not create tables in the schema %I', current_user, current_schema())
       END";
    let rows = rows(connection, QUERY).await?;
    Ok(rows.into_iter().flatten().next().flatten())
}

/// The first thing of `needs` that is not there.
async fn missing(
    connection: &Connection,
    needs: &[(&str, &[&str])],
) -> Result<Option<String>, DatabaseError> {
    if needs.is_empty() {
        return Ok(Some("tables".to_owned()));
    }
    for (table, columns) in needs {
        let query = format!(
            "/* runtime::postgres::schema */ SELECT attname FROM pg_attribute \
             WHERE attrelid = to_regclass('{table}') AND attnum > 0 AND NOT attisdropped"
        );
        let there: Vec<String> = rows(connection, &query)
            .await?
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        if there.is_empty() {
            return Ok(Some(format!("the table {table}")));
        }
        let lacks = |column: &&&str| !there.iter().any(|there| there == **column);
        if let Some(column) = columns.iter().find(lacks) {
            return Ok(Some(format!("the column {column} of the table {table}")));
        }
    }
    Ok(None)
}

async fn rows(
    connection: &Connection,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, DatabaseError> {
    let messages = connection.simple_query(query).await?;
    let rows = messages.into_iter().filter_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|column| row.get(column).map(str::to_owned))
                .collect(),
        ),
        _ => None,
    });
    Ok(rows.collect())
}
