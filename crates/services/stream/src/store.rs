//! The statements of the stream.

use std::pin::pin;

use deadpool_postgres::ClientWrapper;
use domain::{Subscription, Timestamp, Transaction};
use futures_util::TryStreamExt;
use runtime::postgres::{DatabaseError, Schema};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::arrivals::Run;
use crate::event::Event;
use crate::snapshot::Snapshot;

mod types;

use types::{Microseconds, TransactionId};

mod embedded {
    refinery::embed_migrations!("../../../postgres/migrations/stream");
}

/// The schema, for [`runtime::postgres::Database::migrate`].
pub(crate) fn schema() -> Schema {
    Schema {
        // The database is shared with other services, each of which has a history of its own. `weir seed` applies the
        // same schema under the same history and lock.
        history: "stream_schema_history",
        migrations: embedded::migrations::runner(),
        // "stream" in ASCII
        lock: 0x7374_7265_616d,
        needs: &[
            ("transactions", &["tx_id", "timestamp", "written_in"]),
            ("transaction_log", &["sequence", "tx_id", "latest"]),
            ("transaction_commits", &["written_in", "commit_order"]),
            ("transaction_numbering", &["snapshot", "cluster"]),
        ],
    }
}

/// Key of the advisory lock whose holder numbers: "number" in ASCII.
const NUMBERING_LOCK: i64 = 0x6e75_6d62_6572;

/// Settings of the session that numbers and feeds.
const PREPARE_SESSION: &str = "\
/* stream::store::prepare_session */
-- What is streamed must have a number that no crash takes back.
SET synchronous_commit = on;
-- Each statement finds its few rows by index. The planner would not know that: what it estimates for a snapshot that it
-- learns at run time is a share of the table.
SET enable_seqscan = off; SET jit = off;
-- A client that vanished must not keep the lock: found out after about 15 s.
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3;
-- Limits that a role may have, meant for others.
SET statement_timeout = 0; SET idle_session_timeout = 0;
-- Whoever locks the log for longer holds up the stream: that is to be seen in log and health, and tried again.
SET lock_timeout = '5s'";

/// Makes a connection fit for numbering and feeding.
pub(crate) async fn prepare_session(client: &ClientWrapper) -> Result<(), DatabaseError> {
    client.batch_execute(PREPARE_SESSION).await?;
    Ok(())
}

const TRY_LEAD: &str = "/* stream::store::try_lead */ SELECT pg_try_advisory_lock($1)";

/// Takes the lock of the numberer, if nobody has it; it is held as long as the session lives.
pub(crate) async fn try_lead(client: &ClientWrapper) -> Result<bool, DatabaseError> {
    let statement = client.prepare_cached(TRY_LEAD).await?;
    let row = client.query_one(&statement, &[&NUMBERING_LOCK]).await?;
    Ok(row.try_get(0)?)
}

/// What a look found.
#[derive(Debug)]
pub(crate) struct Look {
    /// All that it sees is numbered.
    pub(crate) snapshot: Snapshot,
    /// How many transactions were given a number.
    pub(crate) numbered: u64,
    /// The last number that was given.
    pub(crate) last: Option<u64>,
    /// The first of those that were numbered, as many as were asked for.
    pub(crate) events: Vec<Event>,
}

/// Numbers what has become visible since the snapshot `before`, or all that has no number: one statement, one
/// transaction, durable when it returns. Gives back the first `most` of them, or fewer where they are large.
pub(crate) async fn number(
    client: &ClientWrapper,
    before: Option<&Snapshot>,
    most: Most,
) -> Result<Look, DatabaseError> {
    let statement = client
        .prepare_cached(include_str!("store/number.sql"))
        .await?;
    let before = before.map(Snapshot::to_string);
    let limit = i64::try_from(most.events).unwrap_or(i64::MAX);
    let parameters: [&(dyn ToSql + Sync); 2] = [&before, &limit];
    let mut rows = pin!(client.query_raw(&statement, parameters).await?);
    let none = || DatabaseError::Pool("a look gave no row".into());
    let mut row = rows.try_next().await?.ok_or_else(none)?;
    let mut look = Look {
        snapshot: snapshot(&row, EVENT_COLUMNS)?,
        numbered: unsigned(row.try_get(EVENT_COLUMNS + 1)?),
        last: row
            .try_get::<_, Option<i64>>(EVENT_COLUMNS + 2)?
            .map(unsigned),
        events: Vec::new(),
    };
    if look.numbered == 0 || most.events == 0 {
        return Ok(look);
    }
    let mut bytes = 0;
    loop {
        let event = event(&row)?;
        bytes += event.transaction().text_bytes();
        look.events.push(event);
        if bytes >= most.bytes {
            break;
        }
        row = match rows.try_next().await? {
            Some(row) => row,
            None => break,
        };
    }
    Ok(look)
}

const SAVED_LOOK: &str = "\
/* stream::store::saved_look */
SELECT n.snapshot::text
  FROM transaction_numbering n
 WHERE n.cluster = (SELECT system_identifier FROM pg_control_system())
   AND pg_snapshot_xmax(n.snapshot) <= pg_snapshot_xmax(pg_current_snapshot())";

/// The snapshot that was saved last, if it is of this cluster: ids of transactions mean nothing in another.
pub(crate) async fn saved_look(client: &ClientWrapper) -> Result<Option<Snapshot>, DatabaseError> {
    let row = client.query_opt(SAVED_LOOK, &[]).await?;
    row.map(|row| snapshot(&row, 0)).transpose()
}

const SAVE_LOOK: &str = "\
/* stream::store::save_look */
WITH forgotten AS (DELETE FROM transaction_commits WHERE written_in < $2)
INSERT INTO transaction_numbering AS n (snapshot, cluster)
SELECT $1::text::pg_snapshot, system_identifier FROM pg_control_system()
    ON CONFLICT (only_row) DO UPDATE SET snapshot = excluded.snapshot, cluster = excluded.cluster";

/// Saves the snapshot of a finished look, and forgets the order of commits that are numbered.
///
/// The id of the transaction that does so is above all that the snapshot knows, and it is on disk when this returns:
/// after a crash no id that the snapshot saw ended is given again.
pub(crate) async fn save_look(
    client: &ClientWrapper,
    look: &Snapshot,
) -> Result<(), DatabaseError> {
    let statement = client.prepare_cached(SAVE_LOOK).await?;
    client
        .execute(
            &statement,
            &[&look.to_string(), &TransactionId(look.oldest())],
        )
        .await?;
    Ok(())
}

/// How things stand.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The last number given, 0 where there is none.
    pub(crate) head: u64,
    /// What was visible, numbered or not.
    pub(crate) snapshot: Snapshot,
}

const STANDING: &str = "\
/* stream::store::standing */
SELECT coalesce(max(sequence), 0), pg_current_snapshot()::text FROM transaction_log";

/// Where the stream stands; also tells that the database answers.
pub(crate) async fn standing(client: &ClientWrapper) -> Result<Standing, DatabaseError> {
    let statement = client.prepare_cached(STANDING).await?;
    let row = client.query_one(&statement, &[]).await?;
    Ok(Standing {
        head: unsigned(row.try_get(0)?),
        snapshot: snapshot(&row, 1)?,
    })
}

const RUNS: &str = "\
/* stream::store::runs */
SELECT written_in, min(sequence)
  FROM transaction_log
 WHERE sequence > $1 AND sequence <= $2
   AND NOT pg_visible_in_snapshot(written_in, $3::text::pg_snapshot)
 GROUP BY written_in
 ORDER BY min(sequence)";

/// The first numbers of the database transactions that `unseen` did not see, of those after the number `after`, up to
/// `until`.
pub(crate) async fn runs(
    client: &ClientWrapper,
    after: u64,
    until: u64,
    unseen: &Snapshot,
) -> Result<Vec<Run>, DatabaseError> {
    let statement = client.prepare_cached(RUNS).await?;
    let unseen = unseen.to_string();
    let rows = client
        .query(&statement, &[&signed(after), &signed(until), &unseen])
        .await?;
    let run = |row: Row| {
        let TransactionId(written_in) = row.try_get(0)?;
        let first = unsigned(row.try_get(1)?);
        Ok(Run { written_in, first })
    };
    rows.into_iter().map(run).collect()
}

const FIRST_SINCE: &str = "\
/* stream::store::first_since */
SELECT sequence FROM transaction_log WHERE latest >= $1 ORDER BY latest, sequence LIMIT 1";

/// The first number of a transaction whose timestamp is not before `since`.
pub(crate) async fn first_since(
    client: &ClientWrapper,
    since: Timestamp,
) -> Result<Option<u64>, DatabaseError> {
    let statement = client.prepare_cached(FIRST_SINCE).await?;
    let first = client
        .query_opt(&statement, &[&Microseconds::from(since)])
        .await?;
    Ok(first.map(|row| row.try_get(0)).transpose()?.map(unsigned))
}

/// Which numbered transactions to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// Only those after this number.
    pub(crate) after: u64,
    /// Up to this one.
    pub(crate) until: u64,
    /// How many of them.
    pub(crate) most: Most,
}

/// How many transactions are read at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Most {
    /// Greatest number of them.
    pub(crate) events: usize,
    /// Bytes of text, about; one transaction always fits.
    pub(crate) bytes: usize,
}

/// Some numbered transactions.
#[derive(Debug)]
pub(crate) struct Page {
    /// In the order of their numbers.
    pub(crate) events: Vec<Event>,
    /// All up to this number are in this page or not wanted.
    pub(crate) reached: u64,
}

const PAGE: &str = "\
/* stream::store::page */
SELECT sequence, tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp, written_in
  FROM transaction_log
 WHERE sequence > $1 AND sequence <= $2
   AND ($3::text IS NULL OR from_account = $3 OR to_account = $3)
   AND ($4::timestamptz IS NULL OR timestamp >= $4)
 ORDER BY sequence
 LIMIT $5";

/// Reads those in `range` that `wanted` wants, or all.
pub(crate) async fn page(
    client: &ClientWrapper,
    range: Range,
    wanted: Option<&Subscription>,
) -> Result<Page, DatabaseError> {
    let statement = client.prepare_cached(PAGE).await?;
    let account = wanted.and_then(|wanted| Some(wanted.account()?.as_str()));
    let since = wanted.and_then(|wanted| Some(Microseconds::from(wanted.since()?)));
    let limit = i64::try_from(range.most.events).unwrap_or(i64::MAX);
    let (after, until) = (signed(range.after), signed(range.until));
    let parameters: [&(dyn ToSql + Sync); 5] = [&after, &until, &account, &since, &limit];
    let mut rows = pin!(client.query_raw(&statement, parameters).await?);
    let mut events = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        let event = event(&row)?;
        bytes += event.transaction().text_bytes();
        events.push(event);
        if bytes >= range.most.bytes {
            break;
        }
    }
    let stopped_early = events.len() == range.most.events || bytes >= range.most.bytes;
    let reached = match events.last() {
        Some(last) if stopped_early => last.sequence(),
        _ => range.until,
    };
    Ok(Page { events, reached })
}

/// Columns that [`event`] reads.
const EVENT_COLUMNS: usize = 8;

fn event(row: &Row) -> Result<Event, DatabaseError> {
    let timestamp: Microseconds = row.try_get(6)?;
    let TransactionId(written_in) = row.try_get(7)?;
    let transaction = Transaction {
        tx_id: row.try_get(1)?,
        from_account: row.try_get(2)?,
        to_account: row.try_get(3)?,
        amount_tinybar: row.try_get(4)?,
        tx_type: row.try_get(5)?,
        timestamp: timestamp.into(),
    };
    Ok(Event::new(
        unsigned(row.try_get(0)?),
        written_in,
        transaction,
    ))
}

fn snapshot(row: &Row, column: usize) -> Result<Snapshot, DatabaseError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(DatabaseError::Pool)
}

/// Numbers are not negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// No number is above the greatest of PostgreSQL's.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
