//! The wait for PostgreSQL at the start of a service.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::database::Database;
use super::error::DatabaseError;
use super::pooler;
use crate::Stopped;
use crate::config::DatabaseConfig;

/// How long a service waits for PostgreSQL at its start.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// From one try to the next.
const TRY_EVERY: Duration = Duration::from_secs(1);

impl Database {
    /// Opens the pool and waits until PostgreSQL answers: tried for 30 s with a log line a try. What no waiting can mend
    /// (password, role, database, TLS) ends it at once.
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
        let url = config.database_url.clone();
        let begun = Instant::now();
        for attempt in 1.. {
            let next = Instant::now() + TRY_EVERY;
            let error = tokio::select! {
                answer = first_contact(&database) => match answer {
                    Ok(()) => return Ok(database),
                    Err(error) => error,
                },
                () = stop.cancelled() => return Err(Stopped(format!("DATABASE_URL {url}")).into()),
            };
            if let Some(remedy) = error.remedy_at_start() {
                bail!("DATABASE_URL {url}: {}; {remedy}", error.chain());
            }
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
}

async fn first_contact(database: &Database) -> Result<(), DatabaseError> {
    // Past the breaker, so that each try says what is wrong.
    database.ask().await?;
    let pooled = pooler::is_between(database).await?;
    if pooled {
        tracing::info!(
            "a connection pooler stands before PostgreSQL: no prepared statements, no session's state"
        );
    }
    database.set_pooled(pooled);
    Ok(())
}
