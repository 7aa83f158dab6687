//! A reader: takes all that waits, reads it in one statement, answers everyone in it.
//!
//! There is no artificial delay and no cache: while one read is under way the next requests gather, and their read
//! begins after the last of them arrived.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{AccountId, Balance};
use runtime::postgres::{Connection, Database, DatabaseError, DatabaseErrorKind};
use runtime::wakeups;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::batch;
use crate::error::BalanceError;
use crate::metrics::BalanceMetrics;
use crate::queue::{Queue, Waiting};
use crate::store;

pub(crate) struct Reader {
    pub(crate) database: Database,
    pub(crate) queue: Arc<Queue>,
    pub(crate) metrics: BalanceMetrics,
    pub(crate) max_accounts: usize,
    /// Limit of one statement.
    pub(crate) statement_timeout: Duration,
    /// Whether the last read of any reader failed for want of the database, so that it is logged once.
    pub(crate) away: Arc<AtomicBool>,
    /// Cancelled when what still waits is to be refused.
    pub(crate) refuse: CancellationToken,
}

impl Reader {
    /// Reads until `refuse` is cancelled.
    pub(crate) async fn run(self) {
        let stopped = self.refuse.clone();
        let reading = async {
            let mut batch = Vec::new();
            loop {
                self.queue.arrival().await;
                self.read_waiting(&mut batch).await;
            }
        };
        // Dropped in the middle of a read, a request's answer is dropped too, and its caller told so.
        tokio::select! {
            biased;
            () = stopped.cancelled() => {}
            () = reading => {}
        }
    }

    /// Takes a connection first and the requests then, so that the read holds all that came meanwhile.
    async fn read_waiting(&self, batch: &mut Vec<Waiting>) {
        let connection = match self.database.connection().await {
            Ok(connection) => connection,
            // Other readers have all connections. They will be back; requests have a deadline of their own.
            Err(DatabaseError::AcquireTimeout {
                pool_exhausted: true,
                ..
            }) => return,
            Err(error) => {
                let told = self.report(&error);
                for waiting in self.queue.take_all() {
                    waiting.refuse(told.clone());
                }
                return;
            }
        };
        self.queue.take(batch, self.max_accounts);
        if batch.is_empty() {
            // Another reader was faster.
            connection.give_back();
            return;
        }
        match self.read(connection, batch).await {
            Ok(balances) => {
                let mut balances = balances.into_iter();
                wakeups::gather(|| {
                    for waiting in batch.drain(..) {
                        waiting.answer(&mut balances);
                    }
                });
            }
            Err(told) => {
                for waiting in batch.drain(..) {
                    waiting.refuse(told.clone());
                }
            }
        }
    }

    /// The balances of all ids in the batch, one after the other.
    async fn read(
        &self,
        connection: Connection,
        batch: &[Waiting],
    ) -> Result<Vec<Option<Balance>>, BalanceError> {
        let ids: Vec<&str> = batch
            .iter()
            .flat_map(Waiting::ids)
            .map(AccountId::as_str)
            .collect();
        let distinct = batch::distinct(&ids);
        let began = Instant::now();
        // Given up, by the time limit or by the stop, it is cancelled and its connection closed.
        let Ok(read) = timeout(self.statement_timeout, store::read(&connection, &distinct)).await
        else {
            tracing::warn!("a read took longer than REQUEST_TIMEOUT");
            return Err(BalanceError::Timeout);
        };
        // Before anyone is answered.
        connection.give_back_after(&read);
        let found = read.map_err(|error| self.report(&error))?;
        self.metrics.read(batch.len(), ids.len(), began.elapsed());
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
            tracing::info!("reads succeed again");
        }
        Ok(batch::spread(&ids, &distinct, &found))
    }

    /// What callers are told. Logs what they are not told, here and nowhere else; a database that is away once.
    fn report(&self, error: &DatabaseError) -> BalanceError {
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
