//! Reads how far the sinks have merged. The sinks own the tables (`postgres/migrations/sink`).

use events_kafka::Place;
use runtime::postgres::{Connection, DatabaseError, Parameter};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// SQLSTATE of a table that is not there: no sink has made it yet.
const UNDEFINED_TABLE: &str = "42P01";

/// Which sinks: a group, and the topic that it merges.
#[derive(Clone, Debug)]
pub(crate) struct Sinks {
    pub(crate) group: String,
    pub(crate) topic: String,
}

const NEXT_OFFSETS: &str = "\
/* ingest::store::merged::next_offsets */
SELECT partition, next_offset FROM sink_offsets WHERE group_id = $1 AND topic = $2";

/// By partition, the first offset that is not merged.
pub(crate) async fn next_offsets(
    client: &Connection,
    sinks: &Sinks,
) -> Result<Vec<(i32, i64)>, DatabaseError> {
    let key = [
        (&sinks.group as _, Type::TEXT),
        (&sinks.topic as _, Type::TEXT),
    ];
    let rows = query(client, NEXT_OFFSETS, &key).await?;
    let rows = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    rows.collect()
}

const DEAD_LETTERS: &str = "\
/* ingest::store::merged::dead_letters */
SELECT partition, record_offset
  FROM sink_dead_letters
  JOIN unnest($3::int4[], $4::int8[]) AS asked (partition, record_offset) USING (partition, record_offset)
 WHERE group_id = $1 AND topic = $2";

/// The places, of `places`, whose records became dead letters.
pub(crate) async fn dead_letters(
    client: &Connection,
    sinks: &Sinks,
    places: impl Iterator<Item = Place>,
) -> Result<Vec<Place>, DatabaseError> {
    let (partitions, offsets): (Vec<i32>, Vec<i64>) =
        places.map(|place| (place.partition, place.offset)).unzip();
    let asked = [
        (&sinks.group as _, Type::TEXT),
        (&sinks.topic as _, Type::TEXT),
        (&partitions as _, Type::INT4_ARRAY),
        (&offsets as _, Type::INT8_ARRAY),
    ];
    let rows = query(client, DEAD_LETTERS, &asked).await?;
    let rows = rows.iter().map(|row| {
        Ok(Place {
            partition: row.try_get(0)?,
            offset: row.try_get(1)?,
        })
    });
    rows.collect()
}

/// No rows if the table does not exist.
async fn query(
    client: &Connection,
    statement: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, DatabaseError> {
    match client.query(statement, parameters).await {
        Err(error) if error.sqlstate() == Some(UNDEFINED_TABLE) => Ok(Vec::new()),
        rows => rows,
    }
}
