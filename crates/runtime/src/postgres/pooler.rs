//! Whether a pooler such as PgBouncer stands between a service and PostgreSQL.
//!
//! In transaction mode it gives each transaction a server session that others use too. What a session keeps (settings,
//! locks, prepared statements of one name) would then meet other clients: a statement that was prepared as `s1` by one
//! would be executed with the parameters of another.

use tokio_postgres::SimpleQueryMessage;

use super::database::Database;
use super::error::DatabaseError;

/// How sessions are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// A client has a session to itself as long as it is connected: PostgreSQL itself, or a pooler in session mode.
    Session,
    /// Sessions are shared from transaction to transaction.
    Transaction,
}

/// Looks at which session answers, since when it lives, and what the database's clock says, in microseconds.
const LOOK: &str = "\
/* runtime::postgres::pooler */
SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
  FROM pg_stat_activity WHERE pid = pg_backend_pid()";

/// A pooler that is busy may open a session for the very connection that looks: looked at several times.
const LOOKS: usize = 3;
/// Statements by which two connections find out whether they share sessions.
const ALTERNATIONS: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Seen {
    pid: i64,
    started_us: i64,
    now_us: i64,
}

/// Whether sessions are older than the connections that they answer. One connection at a time.
pub(super) async fn is_between(database: &Database) -> Result<bool, DatabaseError> {
    let mut before = look_with_new_connection(database).await?;
    for _ in 0..LOOKS {
        let seen = look_with_new_connection(database).await?;
        if let (Some(before), Some(seen)) = (before, seen)
            && seen.started_us < before.now_us
        {
            return Ok(true);
        }
        before = seen;
    }
    Ok(false)
}

async fn look_with_new_connection(database: &Database) -> Result<Option<Seen>, DatabaseError> {
    let connection = database.fresh().await?;
    let seen = look(&connection).await?;
    connection.close();
    Ok(seen)
}

impl Database {
    /// Whether this process's sessions are its own, found out with two connections. A service whose work needs a session
    /// (an advisory lock for as long as it lives) asks this at its start.
    ///
    /// # Errors
    /// No two connections, or a statement that fails.
    pub async fn pooling(&self) -> Result<Pooling, DatabaseError> {
        if !self.is_pooled() {
            return Ok(Pooling::Session);
        }
        let (one, two) = (self.fresh().await?, self.fresh().await?);
        let mut pids = (None, None);
        for _ in 0..ALTERNATIONS {
            let seen = (look(&one).await?, look(&two).await?);
            let (Some(first), Some(second)) = seen else {
                continue;
            };
            let same = |known: Option<i64>, pid| known.is_none_or(|known| known == pid);
            if first.pid == second.pid || !same(pids.0, first.pid) || !same(pids.1, second.pid) {
                return Ok(Pooling::Transaction);
            }
            pids = (Some(first.pid), Some(second.pid));
        }
        Ok(Pooling::Session)
    }
}

/// `None` where the session cannot be seen.
async fn look(client: &tokio_postgres::Client) -> Result<Option<Seen>, DatabaseError> {
    // The simple protocol: it prepares nothing.
    for message in client.simple_query(LOOK).await? {
        if let SimpleQueryMessage::Row(row) = message {
            let number = |column| row.get(column).and_then(|text| text.parse().ok());
            return Ok(number(0).zip(number(1)).zip(number(2)).map(
                |((pid, started_us), now_us)| Seen {
                    pid,
                    started_us,
                    now_us,
                },
            ));
        }
    }
    Ok(None)
}
