//! The statements of the sink.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::Event;
use runtime::postgres::{Connection, Database, DatabaseError, Parameter, Schema};
use tokio_postgres::types::Type;

/// How long a batch waits for a partition whose position another sink is moving.
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
                    "topic_id",
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
    /// Kafka's id of the topic, which one that is made again does not have; none where brokers give none.
    pub(crate) topic_id: Option<String>,
}

/// By partition, where a batch begins and where it ends: the next offset before and after it.
pub(crate) type Moves = BTreeMap<i32, (i64, i64)>;

/// The outcome of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It is committed.
    Now,
    /// A partition is not where the batch begins: it was merged already. Nothing is written.
    Elsewhere,
}

const FIND: &str = "\
/* sink::store::next_offset */
SELECT next_offset, topic_id FROM sink_offsets WHERE group_id = $1 AND topic = $2 AND partition = $3";

/// A position without an id is of this topic. One of another topic of the same name is none, and neither are its dead letters.
const BEGIN_AT: &str = "\
/* sink::store::next_offset */
WITH of_another AS (
    SELECT FROM sink_offsets
     WHERE group_id = $1 AND topic = $2 AND partition = $3 AND topic_id <> $4
), forgotten AS (
    DELETE FROM sink_dead_letters
     WHERE group_id = $1 AND topic = $2 AND partition = $3 AND EXISTS (SELECT FROM of_another)
)
INSERT INTO sink_offsets AS known (group_id, topic, partition, next_offset, topic_id)
VALUES ($1, $2, $3, 0, $4)
    ON CONFLICT (group_id, topic, partition) DO UPDATE
   SET next_offset = CASE WHEN known.topic_id <> excluded.topic_id THEN 0 ELSE known.next_offset END,
       topic_id = coalesce(excluded.topic_id, known.topic_id),
       updated_at = now()
RETURNING next_offset";

/// The first offset of a partition that is not merged; 0 where the database knows another topic of the same name. A database that
/// has not answered after `limit` is given up.
pub(crate) async fn next_offset(
    database: &Database,
    source: &Source,
    partition: i32,
    limit: Duration,
) -> Result<i64, DatabaseError> {
    let client = database.connection().await?;
    let key: [Parameter<'_>; 3] = [
        (&source.group as _, Type::TEXT),
        (&source.topic as _, Type::TEXT),
        (&partition as _, Type::INT4),
    ];
    let id: Parameter<'_> = (&source.topic_id as _, Type::TEXT);
    let asked = async {
        let known = client.query(FIND, &key).await?;
        let begun = client.query(BEGIN_AT, &[&key[..], &[id]].concat()).await?;
        Ok::<_, DatabaseError>((known, begun))
    };
    let Ok(asked) = tokio::time::timeout(limit, asked).await else {
        return Err(no_answer(database, limit));
    };
    client.give_back_after(&asked);
    let (known, begun) = asked?;
    let next = begun.first().map_or(Ok(0), |row| row.try_get(0))?;
    if let Some(row) = known.first() {
        let (before, of): (i64, Option<String>) = (row.try_get(0)?, row.try_get(1)?);
        if of.is_some() && source.topic_id.is_some() && of != source.topic_id {
            tracing::warn!(
                topic = source.topic,
                partition,
                merged_of_the_former = before,
                "the topic is another than the one merged before under this name: it is merged from its first record"
            );
        }
    }
    Ok(next)
}

const ADVANCE: &str = "\
/* sink::store::advance */
UPDATE sink_offsets AS known
   SET next_offset = moved.after, updated_at = now()
  FROM unnest($3::int4[], $4::int8[], $5::int8[]) AS moved (partition, before, after)
 WHERE known.group_id = $1 AND known.topic = $2 AND ($6::text IS NULL OR known.topic_id = $6)
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

/// Whether the database may be unavailable.
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
                (&source.topic_id as _, Type::TEXT),
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
