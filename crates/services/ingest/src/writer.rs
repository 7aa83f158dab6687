//! A writer of group commit: takes all that waits, writes it in one statement, answers after commit.
//!
//! There is no artificial delay: while one batch commits the next one gathers, so that batches grow with the load
//! (Helland et al., "Group Commit Timers and High Volume Transaction Systems", 1987, without the timer).

use std::time::Duration;

use domain::Event;
use runtime::postgres::{Connection, Database, DatabaseError, DatabaseErrorKind};
use runtime::wakeups;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Rows};
use crate::error::{IngestError, Outcome};
use crate::metrics::IngestMetrics;
use crate::queue::{Caller, Shard, Waiting};
use crate::store;

/// Attributes that one statement carries at most, bytes. One event may exceed it.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How often callers' deadlines are looked at while a statement is under way. One timer a statement, instead of one a
/// request.
const EXPIRE_EVERY: Duration = Duration::from_millis(50);

/// Times a batch is tried when PostgreSQL says that trying again may help (deadlock, serialisation).
const ATTEMPTS: u32 = 3;

pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) metrics: IngestMetrics,
    pub(crate) max_batch_events: usize,
    /// Cancelled when what still waits is to be refused.
    pub(crate) refuse: CancellationToken,
}

impl Writer {
    /// Writes until the queue is closed and drained, or until `refuse` is cancelled.
    pub(crate) async fn run(self, mut shard: Shard) {
        let mut waiting = Vec::with_capacity(self.max_batch_events);
        loop {
            let taken = tokio::select! {
                biased;
                () = self.refuse.cancelled() => {
                    for waiting in shard.close() {
                        Batch::from(vec![waiting]).answer(&Err(IngestError::ShuttingDown));
                    }
                    return;
                }
                taken = shard.take(&mut waiting, self.max_batch_events) => taken,
            };
            if taken == 0 {
                return;
            }
            for batch in by_size(&mut waiting) {
                self.write(batch, &mut shard).await;
            }
        }
    }

    /// Writes a batch and answers everyone in it, whatever happens.
    async fn write(&self, mut batch: Batch, shard: &mut Shard) {
        batch.drop_unwanted();
        if batch.events.is_empty() {
            return;
        }
        match self.write_together(&mut batch, shard).await {
            Ok(()) => batch.answer(&Ok(())),
            // One bad event must not fail its neighbours.
            Err(Failure::Database(error)) if may_be_one_event(&error) && batch.events.len() > 1 => {
                tracing::warn!(
                    events = batch.events.len(),
                    error = %error.chain(),
                    "a batch failed; its events are tried one by one"
                );
                for mut one in batch.one_by_one() {
                    let outcome = self.write_together(&mut one, shard).await;
                    one.answer(&outcome.map_err(Failure::report));
                }
            }
            Err(failure) => batch.answer(&Err(failure.report())),
        }
    }

    /// Writes a batch in one statement. Callers whose deadline passes meanwhile are answered, in this batch and in the
    /// queue behind it; the statement goes on for the others.
    async fn write_together(&self, batch: &mut Batch, shard: &mut Shard) -> Result<(), Failure> {
        let Batch { events, callers } = batch;
        let rows = batch::fold(events.iter().flat_map(Event::entities));
        let mut attempt = 1;
        let mut started = Instant::now();
        let mut upsert = std::pin::pin!(self.upsert(&rows));
        loop {
            let written = tokio::select! {
                biased;
                written = &mut upsert => written,
                () = self.refuse.cancelled() => return Err(Failure::Refused),
                () = tokio::time::sleep(EXPIRE_EVERY) => {
                    let now = Instant::now();
                    let waiting = wakeups::gather(|| {
                        shard.expire(now);
                        let callers = callers.iter_mut();
                        callers.map(|caller| usize::from(caller.expire(now))).sum::<usize>()
                    });
                    if waiting == 0 {
                        return Err(Failure::Timeout);
                    }
                    continue;
                }
            };
            match written {
                Ok(()) => {
                    self.metrics
                        .committed(events.len() as u64, started.elapsed());
                    return Ok(());
                }
                Err(error) if error.kind() == DatabaseErrorKind::Retry && attempt < ATTEMPTS => {
                    tracing::debug!(attempt, error = %error.chain(), "a batch is tried again");
                    attempt += 1;
                    started = Instant::now();
                    upsert.set(self.upsert(&rows));
                }
                Err(error) => return Err(Failure::Database(error)),
            }
        }
    }

    async fn upsert(&self, rows: &Rows<'_>) -> Result<(), DatabaseError> {
        let client = self.database.get().await?;
        let connection = Connection::new(client);
        let written = store::upsert(&connection, rows).await;
        connection.give_back();
        written
    }
}

/// Why a batch was not written.
enum Failure {
    Database(DatabaseError),
    Timeout,
    Refused,
}

impl Failure {
    /// What callers are told. Logs what they are not told, here and nowhere else.
    fn report(self) -> IngestError {
        match self {
            Self::Refused => IngestError::ShuttingDown,
            Self::Timeout => {
                tracing::warn!("a statement took longer than REQUEST_TIMEOUT");
                IngestError::Timeout
            }
            Self::Database(error) => IngestError::report(&error),
        }
    }
}

/// Whether the batch failed for something in it, so that its events may fare differently one by one.
fn may_be_one_event(error: &DatabaseError) -> bool {
    match error.kind() {
        DatabaseErrorKind::Data | DatabaseErrorKind::Other => true,
        DatabaseErrorKind::Retry | DatabaseErrorKind::Unavailable => false,
    }
}

/// Events that are written together, and who waits for each.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    callers: Vec<Caller>,
}

impl From<Vec<Waiting>> for Batch {
    fn from(waiting: Vec<Waiting>) -> Self {
        let (events, callers) = waiting
            .into_iter()
            .map(|one| (one.event, one.caller))
            .unzip();
        Self { events, callers }
    }
}

impl Batch {
    fn push(&mut self, waiting: Waiting) {
        self.events.push(waiting.event);
        self.callers.push(waiting.caller);
    }

    /// Answers everyone who was not answered yet.
    fn answer(&mut self, outcome: &Outcome) {
        wakeups::gather(|| {
            for caller in &mut self.callers {
                caller.answer(outcome.clone());
            }
        });
    }

    /// Drops the events that nobody waits for any more, before they are written; answers those that are late.
    fn drop_unwanted(&mut self) {
        let now = Instant::now();
        let wanted: Vec<bool> = wakeups::gather(|| {
            let callers = self.callers.iter_mut();
            callers.map(|caller| caller.expire(now)).collect()
        });
        if wanted.iter().all(|wanted| *wanted) {
            return;
        }
        let mut each = wanted.iter();
        self.events
            .retain(|_| each.next().is_some_and(|wanted| *wanted));
        let mut each = wanted.iter();
        self.callers
            .retain(|_| each.next().is_some_and(|wanted| *wanted));
    }

    fn one_by_one(self) -> impl Iterator<Item = Self> {
        self.events
            .into_iter()
            .zip(self.callers)
            .map(|(event, caller)| Self {
                events: vec![event],
                callers: vec![caller],
            })
    }
}

/// Splits what was taken into batches whose attributes fit [`MAX_BATCH_BYTES`], in order. Leaves `waiting` empty.
fn by_size(waiting: &mut Vec<Waiting>) -> Vec<Batch> {
    let mut batches = Vec::with_capacity(1);
    let mut batch = Batch::default();
    let mut bytes = 0;
    for one in waiting.drain(..) {
        let size = one.event.size_hint_bytes();
        if bytes + size > MAX_BATCH_BYTES && !batch.events.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(one);
    }
    batches.push(batch);
    batches
}
