//! PostgreSQL: one pool for the whole process, migrations under a lock, errors by what can be done about them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
    Timeouts,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Stopped;
use crate::config::{DatabaseConfig, DatabaseUrl};

mod connect;
mod connection;
mod error;

pub use connection::Connection;
pub use error::{DatabaseError, DatabaseErrorKind};

/// How long a service waits for PostgreSQL at its start.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// From one try to the next.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// Longest time for [`Database::ping`].
const PING_TIMEOUT: Duration = Duration::from_millis(1500);

/// The application database. Cheap to clone; all clones share the pool, whose size is the number of all
/// connections of the process.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool,
    url: Arc<DatabaseUrl>,
    acquire_timeout: Duration,
}

impl Database {
    /// Opens the pool and waits until PostgreSQL answers: tried for 30 s with a log line a try.
    ///
    /// # Errors
    /// No connection in that time, or `stop` was cancelled meanwhile ([`Stopped`]). The message names `DATABASE_URL` without its password.
    pub async fn connect(
        config: &DatabaseConfig,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        Self::connect_within(config, stop, START_PATIENCE).await
    }

    /// [`Database::connect`] with another patience than 30 s.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_within(
        config: &DatabaseConfig,
        stop: &CancellationToken,
        patience: Duration,
    ) -> anyhow::Result<Self> {
        let database = Self::open(config)?;
        let url = &database.url;
        let begun = Instant::now();
        for attempt in 1.. {
            let next = Instant::now() + TRY_EVERY;
            let error = tokio::select! {
                answer = database.ping() => match answer {
                    Ok(()) => return Ok(database),
                    Err(error) => error,
                },
                () = stop.cancelled() => return Err(Stopped(format!("DATABASE_URL {url}")).into()),
            };
            if next.duration_since(begun) > patience {
                return Err(error).with_context(|| {
                    format!(
                        "DATABASE_URL {url}: no connection to PostgreSQL in {}",
                        humantime::format_duration(patience)
                    )
                });
            }
            tracing::warn!(attempt, database.url = %url, error = %error.chain(), "PostgreSQL is not there yet");
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = stop.cancelled() => return Err(Stopped(format!("DATABASE_URL {url}")).into()),
            }
        }
        bail!("DATABASE_URL {url}: gave up")
    }

    /// The pool without a first connection: connections are opened when they are needed.
    ///
    /// # Errors
    /// Called outside a tokio runtime, or the pool cannot be built.
    pub fn open(config: &DatabaseConfig) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current()?;
        let settings = connect::settings(&config.database_url, config.database_acquire_timeout);
        let manager = Manager::from_connect(
            settings,
            connect::OnRuntime::new(runtime),
            // A connection that its task has seen dying is dropped at the next `get`, before anyone has used it.
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let pool = Pool::builder(manager)
            .max_size(config.database_pool_size.get())
            .runtime(Runtime::Tokio1)
            .build()
            .context("the connection pool cannot be built")?;
        Ok(Self {
            pool,
            url: Arc::new(config.database_url.clone()),
            acquire_timeout: config.database_acquire_timeout,
        })
    }

    /// A connection, waited for and opened within `DATABASE_ACQUIRE_TIMEOUT`; it goes back when it is dropped.
    ///
    /// # Errors
    /// [`DatabaseError::AcquireTimeout`], or why no connection can be opened.
    pub async fn get(&self) -> Result<Object, DatabaseError> {
        self.get_within(self.acquire_timeout).await
    }

    async fn get_within(&self, limit: Duration) -> Result<Object, DatabaseError> {
        let waiting = Timeouts {
            wait: Some(limit),
            ..Timeouts::default()
        };
        // The pool's own limit tells waiting for others from waiting for PostgreSQL, so that it comes first.
        let whole = limit + Duration::from_millis(10);
        let pool_exhausted =
            match tokio::time::timeout(whole, self.pool.timeout_get(&waiting)).await {
                Ok(Ok(client)) => return Ok(client),
                Ok(Err(PoolError::Timeout(TimeoutType::Wait))) => true,
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => false,
            };
        Err(DatabaseError::AcquireTimeout {
            limit,
            pool_exhausted,
        })
    }

    /// Asks the database for an answer to `SELECT 1`, within 1.5 s.
    ///
    /// # Errors
    /// No connection, or no answer in that time.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        let deadline = Instant::now() + PING_TIMEOUT;
        let client = self.get_within(PING_TIMEOUT).await?;
        match tokio::time::timeout_at(
            deadline,
            client.simple_query("/* runtime::postgres::ping */ SELECT 1"),
        )
        .await
        {
            Ok(answer) => answer.map(drop).map_err(Into::into),
            Err(_) => {
                // It may be hung: the next user shall not get it.
                drop(Object::take(client));
                Err(DatabaseError::NoAnswer {
                    limit: PING_TIMEOUT,
                })
            }
        }
    }

    /// Applies what `runner` holds and the database lacks. Concurrent callers, in other processes too, take turns
    /// under the advisory lock `lock_key`.
    ///
    /// # Errors
    /// No connection, or a migration that fails; the connection is closed then, and the lock with it.
    pub async fn migrate(&self, runner: refinery::Runner, lock_key: i64) -> anyhow::Result<()> {
        let mut client = self.get().await.context("no connection for the schema")?;
        match apply(&mut client, &runner, lock_key).await {
            Ok(applied) => {
                tracing::info!(migrations.applied = applied, "the schema is up to date");
                Ok(())
            }
            Err(error) => {
                drop(Object::take(client));
                Err(error)
            }
        }
    }

    /// The URL, for log lines: its `Display` hides the password.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Connections open and connections in use.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.size.saturating_sub(status.available))
    }

    /// Closes the pool: idle connections at once, those in use when they come back.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// How long a migration waits for locks: the advisory one of another starting service, and those on tables.
const MIGRATION_SETTINGS: &str = "\
/* runtime::postgres::migrate */
SET lock_timeout = '60s'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET client_min_messages = warning";

async fn apply(
    client: &mut Object,
    runner: &refinery::Runner,
    lock_key: i64,
) -> anyhow::Result<usize> {
    client.batch_execute(MIGRATION_SETTINGS).await?;
    client
        .execute(
            "/* runtime::postgres::migrate */ SELECT pg_advisory_lock($1)",
            &[&lock_key],
        )
        .await
        .context("no lock for the schema")?;
    let connection: &mut tokio_postgres::Client = client;
    let report = runner
        .run_async(connection)
        .await
        .context("the schema cannot be applied")?;
    client
        .execute(
            "/* runtime::postgres::migrate */ SELECT pg_advisory_unlock($1)",
            &[&lock_key],
        )
        .await?;
    client
        .batch_execute(
            "RESET lock_timeout; RESET statement_timeout; RESET idle_in_transaction_session_timeout; \
             RESET client_min_messages",
        )
        .await?;
    Ok(report.applied_migrations().len())
}
