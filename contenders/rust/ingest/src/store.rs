//! Writes events to PostgreSQL. Updates merge in the database, under the row's lock: nothing is read first, so that
//! concurrent events for one entity cannot lose each other's changes.

use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Error};

use crate::event::{Entity, Event, Invalid};

const UPSERT: &str = "/* contender rust: store::upsert */
    INSERT INTO car_entities (entity_type, id, data) VALUES ($1, $2, $3::jsonb)
    ON CONFLICT (entity_type, id) DO UPDATE
    SET data = car_entities.data || excluded.data, updated_at = now()";

/// That of postgres/migrations/ingest; a table that is there is kept with all it holds.
const SCHEMA: &str = include_str!("schema.sql");

/// The time for one event, waiting for a connection included.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the database is waited for at the start.
const START: Duration = Duration::from_secs(30);

/// A pool of connections.
#[derive(Clone, Debug)]
pub struct Store(PgPool);

/// Why an event was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The database did not say what became of the event.
    #[error("the database is unavailable")]
    Unavailable,
    #[error("internal error")]
    Internal,
}

impl Store {
    /// Connects, waiting for the database, and applies the schema.
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(connections)
            .acquire_timeout(LIMIT)
            // A connection that has died shows in its next statement.
            .test_before_acquire(false)
            .connect_lazy(url)?;
        let deadline = Instant::now() + START;
        loop {
            match apply_schema(&pool).await {
                Ok(()) => return Ok(Self(pool)),
                Err(error @ Error::Database(_)) => return Err(error.into()),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "waiting for the database"),
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Stores one event: a statement, which is a transaction of its own; of several entities one transaction.
    pub async fn write(&self, event: &Event<'_>) -> Result<(), StoreError> {
        let entities = event.event_body.iter().flat_map(|body| &body.entities);
        let mut entities: Vec<&Entity<'_>> = entities.collect();
        // By key: two transactions that lock rows in one order cannot deadlock. Stable: updates of one entity keep theirs.
        entities.sort_by_key(|entity| (&entity.entity_type, &entity.entity_id));
        let written = tokio::time::timeout(LIMIT, self.write_all(&entities)).await;
        written.unwrap_or(Err(Error::PoolTimedOut)).map_err(told)
    }

    async fn write_all(&self, entities: &[&Entity<'_>]) -> Result<(), Error> {
        let mut connection = self.0.acquire().await?;
        if let [entity] = entities {
            return upsert(&mut connection, entity).await;
        }
        let mut transaction = connection.begin().await?;
        for entity in entities {
            upsert(&mut transaction, entity).await?;
        }
        transaction.commit().await
    }

    /// An error where the database does not answer.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let asked = tokio::time::timeout(LIMIT, sqlx::query("SELECT 1").execute(&self.0)).await;
        match asked {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StoreError::Unavailable),
        }
    }

    /// Ends the connections.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

async fn upsert(connection: &mut PgConnection, entity: &Entity<'_>) -> Result<(), Error> {
    sqlx::query(UPSERT)
        .bind(&entity.entity_type)
        .bind(&entity.entity_id)
        .bind(entity.attributes())
        .execute(connection)
        .await?;
    Ok(())
}

async fn apply_schema(pool: &PgPool) -> Result<(), Error> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(7264317)")
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    transaction.commit().await
}

/// What the driver says as what the caller can act on. Class 22 of PostgreSQL's codes is the event's own fault.
fn told(error: Error) -> StoreError {
    if let Error::Database(refused) = &error {
        let code = refused.code().unwrap_or_default().into_owned();
        if code.starts_with("22") {
            let words = refused.message();
            return Invalid(format!("updatedAttributes cannot be stored: {words}")).into();
        }
        if !code.starts_with("57") && !code.starts_with("53") {
            tracing::error!(%error, "an event failed");
            return StoreError::Internal;
        }
    }
    tracing::warn!(%error, "the database is unavailable");
    StoreError::Unavailable
}
