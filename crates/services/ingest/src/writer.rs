//! A writer of group commit: takes all that waits, writes it in one statement, answers after commit.
//!
//! There is no artificial delay: while one batch commits the next one gathers, so that batches grow with the load
//! (Helland et al., "Group Commit Timers and High Volume Transaction Systems", 1987, without the timer).
//!
//! What goes wrong with a batch is sorted by its cause:
//! - rows that other transactions have locked: their events are [parked](crate::parked), the rest is written
//! - conflicts, and values that PostgreSQL refuses: event by event, so that one bad event does not fail its neighbours
//! - a database that takes no writes for now: tried again for a short while, where nothing can have been written
//! - a connection that broke: never tried again, since the batch may have been written

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use domain::Event;
use runtime::postgres::{Connection, Database, DatabaseError};
use runtime::wakeups;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Rows};
use crate::caller::Caller;
use crate::error::IngestError;
use crate::metrics::IngestMetrics;
use crate::parked::Parked;
use crate::queue::Shard;
use crate::store;
use crate::trouble::Trouble;

mod events;
mod recovery;
#[cfg(test)]
mod tests;

use events::Batch;

/// Most bytes of attributes in one statement. A single event may exceed it.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How long a batch waits for a row that another transaction has locked. Other writers hold locks for the time of their
/// commit; who holds one longer is not waited for by the whole batch.
const LOCK_WAIT: Duration = Duration::from_millis(100);
/// The same while events are parked: where rows are locked for long, more of them may be.
const WARY_LOCK_WAIT: Duration = Duration::from_millis(20);
/// The same for an event that is tried by itself while others wait.
const SHORT_LOCK_WAIT: Duration = Duration::from_millis(5);

/// From one look for freed rows to the next.
const TRY_PARKED_EVERY: Duration = Duration::from_millis(50);
/// Parked events that are tried by themselves at one look, so that others do not wait for long.
const ALONE_AT_ONCE: usize = 16;

pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) metrics: IngestMetrics,
    pub(crate) max_batch_events: usize,
    /// Cancelled when what still waits is to be refused.
    pub(crate) refuse: CancellationToken,
    pub(crate) trouble: Arc<Trouble>,
    pub(crate) shard: Shard,
    pub(crate) parked: Parked,
    /// When parked events are tried next.
    pub(crate) try_parked_at: Instant,
}

/// What of a batch is written.
#[derive(Clone, Copy, Debug)]
enum Which {
    All,
    One(usize),
}

impl Which {
    fn range(self, batch: &Batch) -> Range<usize> {
        match self {
            Self::All => 0..batch.len(),
            Self::One(at) => at..at + 1,
        }
    }
}

/// Why a statement did not end well.
#[derive(Debug)]
pub(crate) enum Failure {
    Database {
        error: DatabaseError,
        /// Whether the statement was sent, so that it may have taken effect if the connection broke.
        sent: bool,
    },
    /// All callers have left, or were answered at their deadlines.
    Abandoned,
    /// The service stops.
    Refused,
}

impl Failure {
    /// What callers are told when no statement is tried again. Logs what they are not told.
    pub(crate) fn report(self) -> IngestError {
        match self {
            Self::Refused => IngestError::ShuttingDown,
            Self::Abandoned => {
                tracing::warn!(
                    "nobody waits any more: a connection or a statement took longer than REQUEST_TIMEOUT"
                );
                IngestError::Timeout
            }
            Self::Database { error, .. } => IngestError::report(&error),
        }
    }
}

impl Writer {
    /// Writes until the queue is closed and drained, or until `refuse` is cancelled.
    pub(crate) async fn run(mut self) {
        while let Some(batch) = self.next_batch().await {
            self.write(batch).await;
        }
        let queued = self.shard.close().await;
        let rest: Vec<_> = self.parked.take_all().into_iter().chain(queued).collect();
        wakeups::gather(|| {
            for mut waiting in rest {
                waiting.caller.answer(Err(IngestError::ShuttingDown));
            }
        });
    }

    /// Waits for events that can be written together. `None` at the end.
    async fn next_batch(&mut self) -> Option<Batch> {
        loop {
            // Requests that lead would meet the locks of parked events, or overtake them.
            let may_lead = self.parked.is_empty();
            tokio::select! {
                biased;
                () = self.refuse.cancelled() => return None,
                open = self.shard.arrival(may_lead) => match (open, self.parked.is_empty()) {
                    (true, _) => {}
                    (false, true) => return None,
                    (false, false) => tokio::time::sleep_until(self.try_parked_at).await,
                },
                () = tokio::time::sleep_until(self.try_parked_at), if !self.parked.is_empty() => {}
            }
            let mut batch = Batch::default();
            if !self.parked.is_empty() && self.try_parked_at <= Instant::now() {
                self.try_parked(&mut batch).await;
            }
            let room_of_all = Arc::clone(self.shard.room());
            let (shard, parked) = (&mut self.shard, &mut self.parked);
            let room = self.max_batch_events.saturating_sub(batch.len());
            let bytes = MAX_BATCH_BYTES.saturating_sub(batch.size_hint_bytes());
            shard.take(room, bytes, |waiting, kib| {
                if parked.holds(&waiting) {
                    parked.park(waiting, kib.map(|kib| room_of_all.kept(kib)));
                    return None;
                }
                let bytes = waiting.event.size_hint_bytes();
                batch.push(waiting);
                Some(bytes)
            });
            batch.drop_unwanted();
            if !batch.is_empty() {
                return Some(batch);
            }
        }
    }

    fn lock_wait(&self) -> Duration {
        if self.parked.is_empty() {
            LOCK_WAIT
        } else {
            WARY_LOCK_WAIT
        }
    }

    /// Writes a batch, or one event of it, in one statement. Who left or was answered before the statement begins, while it
    /// waited for a connection, is left out of the batch.
    async fn attempt(
        &mut self,
        batch: &mut Batch,
        which: Which,
        lock_wait: Duration,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let database = self.database.clone();
        let range = which.range(batch);
        let connection = self
            .watch(&mut batch.callers, range, database.connection())
            .await?;
        let connection = connection.map_err(|error| Failure::Database { error, sent: false })?;
        match which {
            Which::All => batch.drop_unwanted(),
            Which::One(at) => {
                if !batch.callers[at].expire(Instant::now(), &IngestError::Timeout) {
                    connection.give_back();
                    return Err(Failure::Abandoned);
                }
            }
        }
        if batch.is_empty() {
            connection.give_back();
            return Ok(());
        }
        let range = which.range(batch);
        let Batch { events, callers } = batch;
        let events = &events[range.clone()];
        let rows = batch::fold(events.iter().flat_map(Event::entities));
        let written = self
            .watch(callers, range, upsert(connection, &rows, lock_wait))
            .await;
        written.flatten()?;
        self.metrics
            .committed(events.len() as u64, started.elapsed());
        self.trouble.is_over();
        Ok(())
    }

    /// Waits for `work`. Meanwhile everyone whose deadline passes is answered: in this batch, in the queue behind it, and
    /// among the parked. Dropped when none of the callers it is done `for_whom` waits any more.
    async fn watch<T>(
        &mut self,
        callers: &mut [Caller],
        for_whom: Range<usize>,
        work: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = self.refuse.cancelled() => return Err(Failure::Refused),
                () = self.shard.look() => {
                    let now = Instant::now();
                    wakeups::gather(|| {
                        self.shard.expire(now);
                        self.parked.expire(now);
                        for caller in callers.iter_mut() {
                            caller.expire(now, &IngestError::Timeout);
                        }
                    });
                    let whom = &callers[for_whom.clone()];
                    if !whom.is_empty() && !whom.iter().any(Caller::is_waiting) {
                        return Err(Failure::Abandoned);
                    }
                }
            }
        }
    }
}

/// Writes rows in one statement.
pub(crate) async fn upsert(
    connection: Connection,
    rows: &Rows<'_>,
    lock_wait: Duration,
) -> Result<(), Failure> {
    let written = store::upsert(&connection, rows, lock_wait).await;
    connection.give_back_after(&written);
    written.map_err(|error| Failure::Database { error, sent: true })
}
