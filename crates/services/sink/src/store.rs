//! The statements of the sink.

use std::collections::BTreeMap;

use domain::Event;
use runtime::postgres::{Connection, Database, DatabaseError, Schema};
use tokio_postgres::types::Type;

mod embedded {
    refinery::embed_migrations!("../../../postgres/migrations/sink");
}

/// The schema, for [`runtime::postgres::Database::migrate`].
pub(crate) fn schema() -> Schema {
    Schema {
        // The database is shared with other services, each of which has a history of its own.
        history: "sink_schema_history",
        migrations: embedded::migrations::runner(),
        // "sink" in ASCII
        lock: 0x7369_6e6b,
        needs: &[(
            "sink_offsets",
            &[
                "group_id",
                "topic",
                "partition",
                "next_offset",
                "updated_at",
            ],
        )],
    }
}

/// Which topic is merged, by which group.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) group: String,
    pub(crate) topic: String,
}

/// By partition, where a batch begins and where it ends: the next offset before and after it.
pub(crate) type Moves = BTreeMap<i32, (i64, i64)>;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is committed.
    Now,
    /// A partition is not where the batch begins: it was merged already. Nothing is written.
    Elsewhere,
}

const BEGIN_AT: &str = "\
/* sink::store::next_offset */
INSERT INTO sink_offsets (group_id, topic, partition, next_offset)
VALUES ($1, $2, $3, 0)
    ON CONFLICT (group_id, topic, partition) DO NOTHING";

const NEXT: &str = "\
/* sink::store::next_offset */
SELECT next_offset FROM sink_offsets WHERE group_id = $1 AND topic = $2 AND partition = $3";

/// The first offset of a partition that is not merged.
pub(crate) async fn next_offset(
    database: &Database,
    source: &Source,
    partition: i32,
) -> Result<i64, DatabaseError> {
    let client = database.connection().await?;
    let key = [
        (&source.group as _, Type::TEXT),
        (&source.topic as _, Type::TEXT),
        (&partition as _, Type::INT4),
    ];
    let asked = async {
        client.execute(BEGIN_AT, &key).await?;
        client.query(NEXT, &key).await
    };
    let asked = asked.await;
    client.give_back_after(&asked);
    match asked?.first() {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(0),
    }
}

const ADVANCE: &str = "\
/* sink::store::advance */
UPDATE sink_offsets AS known
   SET next_offset = moved.after, updated_at = now()
  FROM unnest($3::int4[], $4::int8[], $5::int8[]) AS moved (partition, before, after)
 WHERE known.group_id = $1 AND known.topic = $2
   AND known.partition = moved.partition AND known.next_offset = moved.before";

/// Merges `events` and notes how far the partitions are, in one transaction.
pub(crate) async fn merge(
    database: &Database,
    source: &Source,
    moves: &Moves,
    events: &[Event],
) -> Result<Merged, DatabaseError> {
    let client = database.connection().await?;
    let merged = transaction(&client, source, moves, events).await;
    if merged.is_err() {
        // A transaction may be open.
        client.close();
    } else {
        client.give_back();
    }
    merged
}

async fn transaction(
    client: &Connection,
    source: &Source,
    moves: &Moves,
    events: &[Event],
) -> Result<Merged, DatabaseError> {
    let partitions: Vec<i32> = moves.keys().copied().collect();
    let before: Vec<i64> = moves.values().map(|(before, _)| *before).collect();
    let after: Vec<i64> = moves.values().map(|(_, after)| *after).collect();
    client.batch_execute("BEGIN").await?;
    // First: the rows' locks keep other sinks away from the same partitions.
    let moved = client
        .execute(
            ADVANCE,
            &[
                (&source.group as _, Type::TEXT),
                (&source.topic as _, Type::TEXT),
                (&partitions as _, Type::INT4_ARRAY),
                (&before as _, Type::INT8_ARRAY),
                (&after as _, Type::INT8_ARRAY),
            ],
        )
        .await?;
    if usize::try_from(moved) != Ok(partitions.len()) {
        client.batch_execute("ROLLBACK").await?;
        return Ok(Merged::Elsewhere);
    }
    ingest::merge::merge(client, events).await?;
    client.batch_execute("COMMIT").await?;
    Ok(Merged::Now)
}
