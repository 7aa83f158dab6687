//! The statements of balance.

use std::time::Duration;

use domain::Balance;
use runtime::postgres::{Connection, DatabaseError, Schema};
use tokio_postgres::types::{FromSql, Type, accepts};

mod embedded {
    refinery::embed_migrations!("../../../postgres/migrations/balance");
}

/// The schema, for [`runtime::postgres::Database::migrate`].
pub(crate) fn schema() -> Schema {
    Schema {
        // The database is shared with other services, each of which has a history of its own. `weir seed` applies the
        // same schema under the same history and lock.
        history: "balance_schema_history",
        migrations: embedded::migrations::runner(),
        // "balance" in ASCII
        lock: 0x62_616c_616e_6365,
        needs: &[("accounts", &["account_id", "balance_tinybar", "updated_at"])],
    }
}

const READ: &str = "\
/* balance::store::read */
SELECT account_id, balance_tinybar, updated_at
  FROM accounts
 WHERE account_id = ANY($1)";

/// The balances of `ids` (sorted, each once), position by position; `None` where there is no such account. One
/// statement, whose snapshot PostgreSQL takes after this call began.
pub(crate) async fn read(
    client: &Connection,
    ids: &[&str],
) -> Result<Vec<Option<Balance>>, DatabaseError> {
    let rows = client.query(READ, &[(&ids, Type::TEXT_ARRAY)]).await?;
    let mut found = vec![None; ids.len()];
    for row in rows {
        let id: &str = row.try_get(0)?;
        // A row that was not asked for: a table made elsewhere whose collation takes different ids for equal.
        let Ok(at) = ids.binary_search(&id) else {
            continue;
        };
        // A table made elsewhere may have no time.
        let updated: Option<Microseconds> = row.try_get(2)?;
        let updated_us = updated.map_or(0, |Microseconds(since_1970)| since_1970);
        found[at] = Some(Balance::new(row.try_get(1)?, updated_us));
    }
    Ok(found)
}

const STANDING: &str = "\
/* balance::store::standing */
SELECT pg_is_in_recovery(),
       coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), false)
       AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL AND coalesce(status, 'streaming') = 'streaming'),
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8,
       pg_postmaster_start_time()::text";

/// Where a server stands to its primary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// It replays what a primary sends.
    pub(crate) is_replica: bool,
    /// A connection to the primary is there, and all that came over it is replayed.
    pub(crate) is_caught_up: bool,
    /// Age of the last commit that was replayed, seconds, by both servers' clocks; none before the first.
    pub(crate) replayed_s: Option<f64>,
    /// When the server was started: another one has another time.
    pub(crate) server: String,
}

impl Standing {
    /// Age of what is read there, at most; none where that is not known.
    pub(crate) fn lag(&self) -> Option<Duration> {
        if !self.is_replica || self.is_caught_up {
            return Some(Duration::ZERO);
        }
        let replayed = self.replayed_s?.max(0.0);
        Duration::try_from_secs_f64(replayed).ok()
    }
}

/// Where the server stands to its primary. Any role may ask.
pub(crate) async fn standing(client: &Connection) -> Result<Standing, DatabaseError> {
    let rows = client.query(STANDING, &[]).await?;
    // A SELECT without FROM has one row.
    let Some(row) = rows.first() else {
        return Ok(Standing::default());
    };
    Ok(Standing {
        is_replica: row.try_get(0)?,
        is_caught_up: row.try_get(1)?,
        replayed_s: row.try_get(2)?,
        server: row.try_get(3)?,
    })
}

/// A `timestamptz` as microseconds since 1970, infinity too, which date types cannot hold.
struct Microseconds(i64);

/// From 1970 to PostgreSQL's epoch, 2000-01-01.
const EPOCH_US: i64 = 946_684_800_000_000;

impl<'a> FromSql<'a> for Microseconds {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let since_2000 = <[u8; 8]>::try_from(raw)
            .map(i64::from_be_bytes)
            .map_err(|_| format!("a {ty} of {} bytes", raw.len()))?;
        Ok(Self(since_2000.saturating_add(EPOCH_US)))
    }

    accepts!(TIMESTAMPTZ);
}
