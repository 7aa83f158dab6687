//! Every statement on the metrics database.
//!
//! - this file: connection, schema, how a statement is run
//! - `sessions`, `runs`: what was run and how it ended
//! - `performance`: figures of a run and of its phases
//! - `samples`: resource samples, and what `stats-sidecar` polls
//! - `upkeep`: statistics and clean-up

mod performance;
mod runs;
mod samples;
mod sessions;
mod upkeep;

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row};

pub use runs::{RunFilter, RunWithPerformance};
pub use samples::RunningRun;
pub use upkeep::{ApiSummary, Summary};

use crate::MetricsDbConfig;
use crate::error::{Error, Result, describe};

mod embedded {
    refinery::embed_migrations!("../../../load-test/shared/migrations");
}

/// Connections at most; the lab's commands do little at once.
const CONNECTIONS: usize = 4;

/// The first pause between two attempts to connect; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Waiting for a connection, making one, testing one.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);

/// Key of the advisory lock under which the schema is applied ("weir" and a number).
const MIGRATION_LOCK: i64 = 0x7765_6972_0001;

/// A handle on the metrics database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("connections", &self.pool.status().size)
            .finish()
    }
}

impl Store {
    /// Connects, trying again until `config.connect_timeout` has passed.
    ///
    /// # Errors
    /// [`Error::Connect`] naming `DB_HOST` and `DB_PORT`; at once where trying again cannot help (wrong
    /// password, no such database).
    pub async fn connect(config: &MetricsDbConfig) -> Result<Self> {
        Self::connect_as(config, "weir").await
    }

    /// [`Self::connect`] under a name of its own in `pg_stat_activity`.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_as(config: &MetricsDbConfig, application_name: &str) -> Result<Self> {
        let pool = pool(config, application_name)?;
        let deadline = Instant::now() + config.connect_timeout;
        let mut pause = FIRST_PAUSE;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match pool.get().await {
                Ok(_) => return Ok(Self { pool }),
                Err(error) => error,
            };
            let (reason, hopeless) = reason(&error);
            if hopeless || Instant::now() + pause > deadline {
                let reason = match attempts {
                    1 => reason,
                    _ => format!("{reason} (tried {attempts} times)"),
                };
                return Err(connect_error(config, reason));
            }
            tracing::debug!(attempts, reason, "metrics database not ready yet");
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Applies the migrations that are missing. Any number of processes may do so at once.
    ///
    /// # Errors
    /// [`Error::Migration`] where one fails or an applied one differs from its file.
    pub async fn migrate(&self) -> Result<()> {
        let mut connection = self.pool.get().await?;
        let locked = "/* Store::migrate */ SELECT pg_advisory_lock($1)";
        let unlocked = "/* Store::migrate */ SELECT pg_advisory_unlock($1)";
        connection
            .query(locked, &[&MIGRATION_LOCK])
            .await
            .map_err(statement_error(locked))?;
        let outcome = embedded::migrations::runner()
            .run_async(&mut **connection)
            .await;
        match connection.query(unlocked, &[&MIGRATION_LOCK]).await {
            Ok(_) => {}
            // The lock goes with the connection.
            Err(_) => drop(Object::take(connection)),
        }
        outcome?;
        Ok(())
    }

    /// Answers whether the metrics database can be reached now.
    ///
    /// # Errors
    /// What the attempt met.
    pub async fn ping(&self) -> Result<()> {
        self.rows("/* Store::ping */ SELECT 1", &[]).await.map(drop)
    }

    /// Runs a prepared statement that begins with `/* Store::function */`.
    async fn rows(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        let connection = self.pool.get().await?;
        let statement = connection
            .prepare_cached(sql)
            .await
            .map_err(statement_error(sql))?;
        connection
            .query(&statement, params)
            .await
            .map_err(statement_error(sql))
    }

    /// As [`Self::rows`], for statements that answer with a count of rows.
    async fn execute(&self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<u64> {
        let connection = self.pool.get().await?;
        let statement = connection
            .prepare_cached(sql)
            .await
            .map_err(statement_error(sql))?;
        connection
            .execute(&statement, params)
            .await
            .map_err(statement_error(sql))
    }

    /// As [`Self::execute`], for one run: none touched means that there is no such run.
    async fn execute_on_run(
        &self,
        run: i64,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<()> {
        match self.execute(sql, params).await? {
            0 => Err(Error::NoSuchRun(run)),
            _ => Ok(()),
        }
    }
}

/// Names the function whose statement failed: the comment at its beginning.
fn statement_error(sql: &'static str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |source| Error::Statement {
        function: function_of(sql),
        source,
    }
}

fn function_of(sql: &'static str) -> &'static str {
    sql.trim_start()
        .strip_prefix("/*")
        .and_then(|rest| rest.split_once("*/"))
        .map_or("a statement", |(name, _)| name.trim())
}

/// A column by name, as an error instead of a panic where the schema differs.
fn column<'row, T: tokio_postgres::types::FromSql<'row>>(row: &'row Row, name: &str) -> Result<T> {
    row.try_get(name).map_err(|source| Error::Statement {
        function: "reading a column",
        source,
    })
}

fn pool(config: &MetricsDbConfig, application_name: &str) -> Result<Pool> {
    let mut postgres = tokio_postgres::Config::new();
    postgres
        .host(&config.host)
        .port(config.port)
        .dbname(&config.name)
        .user(&config.user)
        .password(&config.password)
        .application_name(application_name)
        .connect_timeout(POOL_TIMEOUT)
        .keepalives(true);
    let manager = Manager::from_config(
        postgres,
        NoTls,
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .timeouts(deadpool_postgres::Timeouts {
            wait: Some(POOL_TIMEOUT),
            create: Some(POOL_TIMEOUT),
            recycle: Some(POOL_TIMEOUT),
        })
        // Times in `psql` and in the CSV are the same everywhere.
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move {
                client
                    .batch_execute("/* Store::connect */ SET timezone TO 'UTC'")
                    .await
                    .map_err(HookError::Backend)
            })
        }))
        .build()
        .map_err(|error| connect_error(config, error.to_string()))
}

fn connect_error(config: &MetricsDbConfig, reason: String) -> Error {
    Error::Connect {
        host: config.host.clone(),
        port: config.port,
        name: config.name.clone(),
        user: config.user.clone(),
        reason,
    }
}

/// Why a connection could not be had, and whether trying again is of no use.
fn reason(error: &deadpool_postgres::PoolError) -> (String, bool) {
    let deadpool_postgres::PoolError::Backend(source) = error else {
        return (error.to_string(), false);
    };
    let hopeless = source.code().is_some_and(|code| {
        [
            SqlState::INVALID_PASSWORD,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            SqlState::INVALID_CATALOG_NAME,
        ]
        .contains(code)
    });
    (describe(source), hopeless)
}
