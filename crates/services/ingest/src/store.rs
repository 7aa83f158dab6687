//! The statements of ingestion.

use deadpool_postgres::Client;
use runtime::postgres::DatabaseError;
use tokio_postgres::types::ToSql;

use crate::batch::Rows;

mod embedded {
    refinery::embed_migrations!("../../../postgres/migrations/ingest");
}

/// The schema, for [`runtime::postgres::Database::migrate`].
pub(crate) fn migrations() -> refinery::Runner {
    let mut runner = embedded::migrations::runner();
    // The database is shared with other services, each of which has a history of its own.
    runner.set_migration_table_name("ingest_schema_history");
    runner
}

/// Key of the advisory lock under which the schema is applied: "ingest" in ASCII.
pub(crate) const MIGRATION_LOCK: i64 = 0x696e_6765_7374;

const UPSERT: &str = "\
/* ingest::store::upsert */
INSERT INTO car_entities AS entity (entity_type, id, created_at, updated_at, data)
SELECT entity_type, id, now(), now(), attributes::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[]) AS row (entity_type, id, attributes)
    ON CONFLICT (entity_type, id) DO UPDATE
   SET data = entity.data || excluded.data, updated_at = excluded.updated_at";

const UPSERT_ONE: &str = "\
/* ingest::store::upsert */
INSERT INTO car_entities AS entity (entity_type, id, created_at, updated_at, data)
VALUES ($1, $2, now(), now(), $3::text::jsonb)
    ON CONFLICT (entity_type, id) DO UPDATE
   SET data = entity.data || excluded.data, updated_at = excluded.updated_at";

/// Creates or merges all rows in one statement, which is one transaction: durable when it returns.
pub(crate) async fn upsert(client: &Client, rows: &Rows<'_>) -> Result<(), DatabaseError> {
    if let ([entity_type], [id], [attributes]) = (
        &rows.entity_types[..],
        &rows.entity_ids[..],
        &rows.attributes[..],
    ) {
        let statement = client.prepare_cached(UPSERT_ONE).await?;
        client
            .execute(&statement, &[entity_type, id, attributes])
            .await?;
        return Ok(());
    }
    let statement = client.prepare_cached(UPSERT).await?;
    let columns: [&(dyn ToSql + Sync); 3] =
        [&rows.entity_types, &rows.entity_ids, &rows.attributes];
    client.execute(&statement, &columns).await?;
    Ok(())
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
pub(crate) async fn read_then_write(client: &Client, rows: &Rows<'_>) -> Result<(), DatabaseError> {
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

async fn read_then_write_each(client: &Client, rows: &Rows<'_>) -> Result<(), DatabaseError> {
    let read = client.prepare_cached(READ).await?;
    let insert = client.prepare_cached(INSERT).await?;
    let update = client.prepare_cached(UPDATE).await?;
    for ((entity_type, id), attributes) in rows
        .entity_types
        .iter()
        .zip(&rows.entity_ids)
        .zip(&rows.attributes)
    {
        match client.query_opt(&read, &[entity_type, id]).await? {
            None => {
                client
                    .execute(&insert, &[entity_type, id, attributes])
                    .await?
            }
            Some(row) => {
                let stored: &str = row.try_get(0)?;
                let merged = domain::attributes::fold([stored, attributes.as_ref()]);
                client.execute(&update, &[entity_type, id, &merged]).await?
            }
        };
    }
    Ok(())
}
