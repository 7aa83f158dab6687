//! The statements of ingestion.

#[cfg(feature = "kafka")]
pub(crate) mod merged;

use std::borrow::Cow;
use std::time::Duration;

use runtime::postgres::{Connection, DatabaseError, Schema};
use tokio_postgres::types::Type;

use crate::batch::Rows;

mod embedded {
    refinery::embed_migrations!("../../../postgres/migrations/ingest");
}

/// The schema, for [`runtime::postgres::Database::migrate`].
pub(crate) fn schema() -> Schema {
    Schema {
        // The database is shared with other services, each of which has a history of its own.
        history: "ingest_schema_history",
        migrations: embedded::migrations::runner(),
        // "ingest" in ASCII
        lock: 0x696e_6765_7374,
        needs: &[(
            "car_entities",
            &["entity_type", "id", "created_at", "updated_at", "data"],
        )],
    }
}

/// Settings of one statement's transaction, made before the first row is locked, without a message of their own:
/// - how long it waits for a row's lock, whatever the role's `lock_timeout` is
/// - its commit is durable, whatever the role's or the pooler's session says (`off` alone does not wait for the disk)
macro_rules! bounded {
    ($timeout:literal) => {
        concat!(
            "(SELECT set_config('lock_timeout', ",
            $timeout,
            ", true) || CASE current_setting('synchronous_commit') \
             WHEN 'off' THEN set_config('synchronous_commit', 'on', true) ELSE '' END) IS NOT NULL"
        )
    };
}

const UPSERT: &str = concat!(
    "\
/* ingest::store::upsert */
INSERT INTO car_entities AS entity (entity_type, id, created_at, updated_at, data)
SELECT entity_type, id, now(), now(), attributes::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[]) AS row (entity_type, id, attributes)
 WHERE ",
    bounded!("$4"),
    "
    ON CONFLICT (entity_type, id) DO UPDATE
   SET data = entity.data || excluded.data, updated_at = excluded.updated_at"
);

const UPSERT_ONE: &str = concat!(
    "\
/* ingest::store::upsert */
INSERT INTO car_entities AS entity (entity_type, id, created_at, updated_at, data)
SELECT $1::text, $2::text, now(), now(), $3::text::jsonb
 WHERE ",
    bounded!("$4"),
    "
    ON CONFLICT (entity_type, id) DO UPDATE
   SET data = entity.data || excluded.data, updated_at = excluded.updated_at"
);

/// Creates or merges all rows in one statement, which is one transaction: durable when it returns. Waits no longer than
/// `lock_wait` (whole milliseconds) for a row that another transaction has locked: then nothing is written.
pub(crate) async fn upsert(
    client: &Connection,
    rows: &Rows<'_>,
    lock_wait: Duration,
) -> Result<(), DatabaseError> {
    let lock_wait = format!("{}ms", lock_wait.as_millis());
    if let ([entity_type], [id], [attributes]) = (
        &rows.entity_types[..],
        &rows.entity_ids[..],
        &rows.attributes[..],
    ) {
        let row = [
            (entity_type as _, Type::TEXT),
            (id as _, Type::TEXT),
            (attributes as _, Type::TEXT),
            (&lock_wait as _, Type::TEXT),
        ];
        client.execute(UPSERT_ONE, &row).await?;
        return Ok(());
    }
    let columns = [
        (&rows.entity_types as _, Type::TEXT_ARRAY),
        (&rows.entity_ids as _, Type::TEXT_ARRAY),
        (&rows.attributes as _, Type::TEXT_ARRAY),
        (&lock_wait as _, Type::TEXT),
    ];
    client.execute(UPSERT, &columns).await?;
    Ok(())
}

const LOCKED: &str = "\
/* ingest::store::locked */
WITH asked AS (
    SELECT * FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS key (entity_type, id, place)
), free AS MATERIALIZED (
    SELECT asked.place
      FROM asked JOIN car_entities AS entity ON (entity.entity_type, entity.id) = (asked.entity_type, asked.id)
       FOR NO KEY UPDATE OF entity SKIP LOCKED
)
SELECT asked.place
  FROM asked JOIN car_entities AS entity ON (entity.entity_type, entity.id) = (asked.entity_type, asked.id)
 WHERE asked.place NOT IN (SELECT place FROM free)";

/// Which of the keys have a row that another transaction has locked, position by position. A row that another
/// transaction is inserting cannot be seen.
pub(crate) async fn locked(
    client: &Connection,
    entity_types: &[&str],
    ids: &[&str],
) -> Result<Vec<bool>, DatabaseError> {
    let keys = [
        (&entity_types as _, Type::TEXT_ARRAY),
        (&ids as _, Type::TEXT_ARRAY),
    ];
    let rows = client.query(LOCKED, &keys).await?;
    let mut locked = vec![false; ids.len()];
    for row in rows {
        let place: i64 = row.try_get(0)?;
        let known = usize::try_from(place - 1).ok();
        if let Some(locked) = known.and_then(|place| locked.get_mut(place)) {
            *locked = true;
        }
    }
    Ok(locked)
}

const READ: &str = "\
/* ingest::store::read_then_write */
SELECT data::text FROM car_entities WHERE entity_type = $1 AND id = $2";

const INSERT: &str = "\
/* ingest::store::read_then_write */
INSERT INTO car_entities (entity_type, id, created_at, updated_at, data)
VALUES ($1, $2, now(), now(), $3::text::jsonb)
    ON CONFLICT (entity_type, id) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at";

const UPDATE: &str = "\
/* ingest::store::read_then_write */
UPDATE car_entities SET data = $3::text::jsonb, updated_at = now() WHERE entity_type = $1 AND id = $2";

/// The flow of earlier systems, for comparison: reads each entity, merges in the service, writes it back, each
/// step a statement of its own (in one transaction where there are several). What another request writes in
/// between is lost.
pub(crate) async fn read_then_write(
    client: &Connection,
    rows: &Rows<'_>,
) -> Result<(), DatabaseError> {
    if rows.entity_ids.len() == 1 {
        return read_then_write_each(client, rows).await;
    }
    client.batch_execute("BEGIN").await?;
    let written = read_then_write_each(client, rows).await;
    client
        .batch_execute(if written.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        })
        .await?;
    written
}

async fn read_then_write_each(client: &Connection, rows: &Rows<'_>) -> Result<(), DatabaseError> {
    for ((entity_type, id), attributes) in rows
        .entity_types
        .iter()
        .zip(&rows.entity_ids)
        .zip(&rows.attributes)
    {
        let key = [(entity_type as _, Type::TEXT), (id as _, Type::TEXT)];
        let (statement, written) = match client.query(READ, &key).await?.first() {
            None => (INSERT, Cow::Borrowed(attributes.as_ref())),
            Some(row) => {
                let stored: &str = row.try_get(0)?;
                let merged = domain::attributes::fold([stored, attributes.as_ref()]);
                (UPDATE, Cow::Owned(merged))
            }
        };
        let [entity_type, id] = key;
        let row = [entity_type, id, (&written as _, Type::TEXT)];
        client.execute(statement, &row).await?;
    }
    Ok(())
}
