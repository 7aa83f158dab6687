//! One read: a statement on a pooled connection, within the time limit, counted, its failure logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{AccountId, Balance};
use runtime::postgres::{Connection, Database, DatabaseError, DatabaseErrorKind};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::batch;
use crate::error::BalanceError;
use crate::metrics::BalanceMetrics;
use crate::replica::Replica;
use crate::store;

/// Pause between two tries to open a connection.
const OPEN_AGAIN: Duration = Duration::from_secs(1);

/// What all reads of the process have in common.
#[derive(Debug)]
pub(crate) struct Reading {
    database: Database,
    metrics: BalanceMetrics,
    /// Limit of one statement.
    statement_timeout: Duration,
    /// Whether the last read failed because the database was unavailable, so that this is logged once.
    away: Arc<AtomicBool>,
    /// Whether a connection is being opened for lone requests.
    is_opening: AtomicBool,
    /// None where a replica may be as far behind as it is.
    replica: Option<Arc<Replica>>,
}

impl Reading {
    /// Reads from `database`, each for `statement_timeout` at most; from a replica while it is at most `max_replica_lag`
    /// behind.
    pub(crate) fn new(
        database: Database,
        metrics: BalanceMetrics,
        statement_timeout: Duration,
        max_replica_lag: Option<Duration>,
    ) -> Self {
        let replica = max_replica_lag.map(|bound| Arc::new(Replica::new(bound, metrics.clone())));
        Self {
            replica,
            database,
            metrics,
            statement_timeout,
            away: Arc::default(),
            is_opening: AtomicBool::new(false),
        }
    }

    /// The same on connections of the current runtime's own, which come off the pool; `None` where fewer than `keep` would be
    /// left there.
    pub(crate) fn lend(&self, connections: usize, keep: usize) -> Option<Self> {
        Some(Self {
            database: self.database.lend(connections, keep)?,
            metrics: self.metrics.clone(),
            statement_timeout: self.statement_timeout,
            away: Arc::clone(&self.away),
            is_opening: AtomicBool::new(false),
            replica: self.replica.clone(),
        })
    }

    /// Whether a read could begin now, on an open connection. If not, one is opened for the next.
    pub(crate) fn is_ready(self: &Arc<Self>) -> bool {
        if self.away.load(Ordering::Relaxed) {
            return false;
        }
        let is_ready = self.database.has_idle();
        if !is_ready && !self.is_opening.swap(true, Ordering::AcqRel) {
            let reading = Arc::clone(self);
            let open = async move {
                match reading.connection().await {
                    Ok(connection) => connection.give_back(),
                    Err(error) => {
                        // Told as a read that failed is: the breaker may refuse all reads after it.
                        drop(reading.report(&error));
                        tokio::time::sleep(OPEN_AGAIN).await;
                    }
                }
                reading.is_opening.store(false, Ordering::Release);
            };
            // It ends by itself: connections are opened within a limit.
            drop(tokio::spawn(open));
        }
        is_ready
    }

    /// Refuses at once while the database is away, or is a replica that is too far behind.
    pub(crate) fn admit(&self) -> Result<(), BalanceError> {
        let asked = self.database.check();
        asked.map_err(|away| BalanceError::from(&away))?;
        self.admit_replica()
    }

    /// Refuses while the database is a replica that is too far behind.
    pub(crate) fn admit_replica(&self) -> Result<(), BalanceError> {
        self.replica
            .as_ref()
            .map_or(Ok(()), |replica| replica.admit())
    }

    /// Reads the replica's lag for the first time.
    pub(crate) async fn begin_with_replica(&self) {
        if let Some(replica) = &self.replica {
            replica.begin(&self.database).await;
        }
    }

    /// Reads the replica's lag again and again, until the stop.
    pub(crate) async fn watch_replica(&self, stop: &CancellationToken) {
        if let Some(replica) = &self.replica {
            replica.watch(&self.database, stop).await;
        }
    }

    /// A connection for one read.
    pub(crate) async fn connection(&self) -> Result<Connection, DatabaseError> {
        self.database.connection().await
    }

    /// The balances of all `ids`, one after the other, for `requests` requests.
    pub(crate) async fn read<'a>(
        &self,
        connection: Connection,
        requests: usize,
        ids: impl Iterator<Item = &'a AccountId>,
    ) -> Result<Vec<Option<Balance>>, BalanceError> {
        let ids: Vec<&str> = ids.map(AccountId::as_str).collect();
        let distinct = batch::distinct(&ids);
        let began = Instant::now();
        // Given up, by the time limit or by the stop, it is closed.
        let Ok(read) = timeout(self.statement_timeout, store::read(&connection, &distinct)).await
        else {
            tracing::warn!("a read took longer than REQUEST_TIMEOUT");
            return Err(BalanceError::Timeout);
        };
        // Before anyone is answered.
        connection.give_back_after(&read);
        let found = read.map_err(|error| self.report(&error))?;
        self.metrics.read(requests, ids.len(), began.elapsed());
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
            tracing::info!("reads succeed again");
        }
        Ok(batch::spread(&ids, &distinct, &found))
    }

    /// Whether a read succeeds: the table is asked, and not only the server. `limit` holds for the connection and for the
    /// read, one after the other.
    pub(crate) async fn check(&self, limit: Duration) -> Result<(), DatabaseError> {
        let checked = self.read_nothing(limit).await;
        checked.inspect_err(|error| self.database.note(error))?;
        self.replica
            .as_ref()
            .map_or(Ok(()), |replica| replica.check())
    }

    async fn read_nothing(&self, limit: Duration) -> Result<(), DatabaseError> {
        let Ok(connection) = timeout(limit, self.connection()).await else {
            let (open, in_use) = self.database.connections();
            return Err(DatabaseError::AcquireTimeout {
                limit,
                pool_exhausted: open > 0 && in_use >= open,
            });
        };
        let connection = connection?;
        let read = timeout(limit, store::read(&connection, &[])).await;
        read.map_err(|_elapsed| DatabaseError::NoAnswer { limit })??;
        connection.give_back();
        Ok(())
    }

    /// What callers are told. Logs what they are not told, here and nowhere else; a database that is away once.
    pub(crate) fn report(&self, error: &DatabaseError) -> BalanceError {
        match error.kind() {
            DatabaseErrorKind::Unavailable | DatabaseErrorKind::Retry => {
                let cause = error.cause();
                if self.away.swap(true, Ordering::Relaxed) {
                    tracing::debug!(error = %error.chain(), "no reads: {cause}");
                } else {
                    tracing::warn!(error = %error.chain(), "no reads: {cause}; no further line until reads succeed");
                }
            }
            DatabaseErrorKind::Data | DatabaseErrorKind::Other => {
                tracing::error!(error = %error.chain(), "a read failed");
            }
        }
        error.into()
    }
}
