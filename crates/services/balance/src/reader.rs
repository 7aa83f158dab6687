//! A reader: takes all that waits, reads it in one statement, answers everyone in it.
//!
//! There is no artificial delay and no cache: while one read is under way the next requests gather, and their read
//! begins after the last of them arrived.

use std::sync::Arc;

use runtime::postgres::DatabaseError;
use runtime::wakeups;
use tokio_util::sync::CancellationToken;

use crate::queue::{Queue, Waiting};
use crate::reading::Reading;

pub(crate) struct Reader {
    pub(crate) reading: Arc<Reading>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) max_accounts: usize,
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
        let connection = match self.reading.connection().await {
            Ok(connection) => connection,
            // Other readers have all connections. They will be back; requests have a deadline of their own.
            Err(DatabaseError::AcquireTimeout {
                pool_exhausted: true,
                ..
            }) => return,
            Err(error) => {
                let told = self.reading.report(&error);
                for waiting in self.queue.take_all() {
                    waiting.refuse(told.clone());
                }
                return;
            }
        };
        self.queue.take(batch, self.max_accounts);
        if batch.is_empty() {
            // Another reader has taken the requests.
            connection.give_back();
            return;
        }
        let ids = batch.iter().flat_map(Waiting::ids);
        let read = {
            let _reads = self.queue.shared_read();
            self.reading.read(connection, batch.len(), ids).await
        };
        match read {
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
}
