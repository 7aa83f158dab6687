//! The statements of the sink.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Event;
use runtime::postgres::{Connection, Database, DatabaseError, Parameter, Schema};
use tokio_postgres::types::Type;

/// How long a partition is waited for that another sink moves at the moment.
const LOCK_WAIT: Duration = Duration::from_secs(1);

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
        needs: &[
            (
                "sink_offsets",
                &[
                    "group_id",
                    "topic",
                    "partition",
                    "next_offset",
                    "updated_at",
                ],
            ),
            (
                "sink_dead_letters",
                &[
                    "group_id",
                    "topic",
                    "partition",
                    "record_offset",
                    "reason",
                    "created_at",
                ],
            ),
        ],
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

/// The first offset of a partition that is not merged. A database that has not answered after `limit` is given up.
pub(crate) async fn next_offset(
    database: &Database,
    source: &Source,
    partition: i32,
    limit: Duration,
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
    let Ok(asked) = tokio::time::timeout(limit, asked).await else {
        return Err(no_answer(database, limit));
    };
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

const NOTE_DEAD: &str = "\
/* sink::store::note_dead_letters */
INSERT INTO sink_dead_letters (group_id, topic, partition, record_offset, reason)
SELECT $1, $2, dead.partition, dead.record_offset, dead.reason
  FROM unnest($3::int4[], $4::int8[], $5::text[]) AS dead (partition, record_offset, reason)
    ON CONFLICT (group_id, topic, partition, record_offset) DO NOTHING";

const FORGET_DEAD: &str = "\
/* sink::store::note_dead_letters */
DELETE FROM sink_dead_letters WHERE group_id = $1 AND topic = $2 AND created_at < now() - interval '1 day'";

/// A record that is a dead letter.
#[derive(Clone, Debug)]
pub(crate) struct Dead {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) reason: String,
}

/// What one transaction does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    pub(crate) moves: &'a Moves,
    pub(crate) events: &'a [Event],
    pub(crate) dead: &'a [Dead],
}

/// Merges the events of a batch, and notes its dead letters and how far the partitions are, in one transaction.
///
/// A database that has not answered after `limit` is given up: whether the batch is merged is not known then, and trying it again
/// is safe.
pub(crate) async fn merge(
    database: &Database,
    source: &Source,
    batch: Batch<'_>,
    limit: Duration,
) -> Result<Merged, DatabaseError> {
    let client = database.connection().await?;
    // Dropped at the limit, the connection is closed.
    let merged = tokio::time::timeout(limit, async {
        let merged = transaction(&client, source, batch, limit).await;
        (client, merged)
    });
    let Ok((client, merged)) = merged.await else {
        return Err(no_answer(database, limit));
    };
    if merged.is_err() {
        // A transaction may be open.
        client.close();
    } else {
        client.give_back();
    }
    merged
}

/// It may be that the database is away.
fn no_answer(database: &Database, limit: Duration) -> DatabaseError {
    let error = DatabaseError::NoAnswer { limit };
    database.note(&error);
    error
}

async fn transaction(
    client: &Connection,
    source: &Source,
    Batch {
        moves,
        events,
        dead,
    }: Batch<'_>,
    limit: Duration,
) -> Result<Merged, DatabaseError> {
    let partitions: Vec<i32> = moves.keys().copied().collect();
    let before: Vec<i64> = moves.values().map(|(before, _)| *before).collect();
    let after: Vec<i64> = moves.values().map(|(_, after)| *after).collect();
    // The locks of a sink that is cut off in the middle end then.
    let begin = format!(
        "BEGIN; SET LOCAL lock_timeout = {}; SET LOCAL idle_in_transaction_session_timeout = {}",
        LOCK_WAIT.as_millis(),
        limit.as_millis()
    );
    client.batch_execute(&begin).await?;
    let group: Parameter<'_> = (&source.group as _, Type::TEXT);
    let topic: Parameter<'_> = (&source.topic as _, Type::TEXT);
    // First: the rows' locks keep other sinks away from the same partitions.
    let moved = client
        .execute(
            ADVANCE,
            &[
                group.clone(),
                topic.clone(),
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
    if !dead.is_empty() {
        let partitions: Vec<i32> = dead.iter().map(|one| one.partition).collect();
        let offsets: Vec<i64> = dead.iter().map(|one| one.offset).collect();
        let reasons: Vec<&str> = dead.iter().map(|one| one.reason.as_str()).collect();
        client
            .execute(
                NOTE_DEAD,
                &[
                    group.clone(),
                    topic.clone(),
                    (&partitions as _, Type::INT4_ARRAY),
                    (&offsets as _, Type::INT8_ARRAY),
                    (&reasons as _, Type::TEXT_ARRAY),
                ],
            )
            .await?;
        client.execute(FORGET_DEAD, &[group, topic]).await?;
    }
    ingest::merge::merge(client, events).await?;
    client.batch_execute("COMMIT").await?;
    Ok(Merged::Now)
}
