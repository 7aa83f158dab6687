//! A writer of group commit: takes all that waits, writes it in one statement, answers after commit.
//!
//! There is no artificial delay: while one batch commits the next one gathers, so that batches grow with the load
//! (Helland et al., "Group Commit Timers and High Volume Transaction Systems", 1987, without the timer).

use std::time::Duration;

use runtime::postgres::{Database, DatabaseError, DatabaseErrorKind};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Rows};
use crate::connection::Connection;
use crate::error::IngestError;
use crate::metrics::IngestMetrics;
use crate::queue::{Shard, Waiting};
use crate::store;

/// Attributes that one statement carries at most, bytes. One event may exceed it.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Times a batch is tried when PostgreSQL says that trying again may help (deadlock, serialisation).
const ATTEMPTS: u32 = 3;

pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) metrics: IngestMetrics,
    pub(crate) max_batch_events: usize,
    /// Limit of one statement.
    pub(crate) statement_timeout: Duration,
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
                    refuse_all(shard.close(), &IngestError::ShuttingDown);
                    return;
                }
                taken = shard.take(&mut waiting, self.max_batch_events) => taken,
            };
            if taken == 0 {
                return;
            }
            for batch in by_size(&mut waiting) {
                self.write(batch).await;
            }
        }
    }

    /// Writes a batch and answers everyone in it, whatever happens.
    async fn write(&self, batch: Vec<Waiting>) {
        let batch = still_wanted(batch);
        if batch.is_empty() {
            return;
        }
        match self.write_together(&batch).await {
            Ok(()) => acknowledge(batch),
            // One bad event must not fail its neighbours.
            Err(Failure::Database(error)) if may_be_one_event(&error) && batch.len() > 1 => {
                tracing::warn!(events = batch.len(), error = %error.chain(), "a batch failed; its events are tried one by one");
                self.write_one_by_one(batch).await;
            }
            Err(failure) => refuse_all(batch, &failure.report()),
        }
    }

    async fn write_one_by_one(&self, batch: Vec<Waiting>) {
        for one in batch {
            match self.write_together(std::slice::from_ref(&one)).await {
                Ok(()) => one.answer(Ok(())),
                Err(failure) => one.answer(Err(failure.report())),
            }
        }
    }

    async fn write_together(&self, batch: &[Waiting]) -> Result<(), Failure> {
        let rows = batch::fold(batch.iter().flat_map(|waiting| waiting.event.entities()));
        let mut attempt = 1;
        loop {
            let started = Instant::now();
            let written = tokio::select! {
                biased;
                () = self.refuse.cancelled() => return Err(Failure::Refused),
                written = tokio::time::timeout(self.statement_timeout, self.upsert(&rows)) => written,
            };
            match written {
                Ok(Ok(())) => {
                    self.metrics
                        .committed(batch.len() as u64, started.elapsed());
                    return Ok(());
                }
                Ok(Err(error))
                    if error.kind() == DatabaseErrorKind::Retry && attempt < ATTEMPTS =>
                {
                    tracing::debug!(attempt, error = %error.chain(), "a batch is tried again");
                    attempt += 1;
                }
                Ok(Err(error)) => return Err(Failure::Database(error)),
                Err(_elapsed) => return Err(Failure::Timeout),
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

/// Splits what was taken into batches whose attributes fit [`MAX_BATCH_BYTES`], in order. Leaves `waiting` empty.
fn by_size(waiting: &mut Vec<Waiting>) -> Vec<Vec<Waiting>> {
    let mut batches = Vec::with_capacity(1);
    let mut batch = Vec::with_capacity(waiting.len());
    let mut bytes = 0;
    for one in waiting.drain(..) {
        let size = one.event.size_hint_bytes();
        if bytes + size > MAX_BATCH_BYTES && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += size;
        batch.push(one);
    }
    batches.push(batch);
    batches
}

/// Drops the events that nobody waits for any more, before they are written; answers those that are late.
fn still_wanted(batch: Vec<Waiting>) -> Vec<Waiting> {
    let now = Instant::now();
    if batch
        .iter()
        .all(|waiting| waiting.deadline > now && !waiting.is_abandoned())
    {
        return batch;
    }
    let mut wanted = Vec::with_capacity(batch.len());
    for waiting in batch {
        if waiting.is_abandoned() {
            continue;
        }
        if waiting.deadline > now {
            wanted.push(waiting);
        } else {
            waiting.answer(Err(IngestError::Timeout));
        }
    }
    wanted
}

fn acknowledge(batch: Vec<Waiting>) {
    for waiting in batch {
        waiting.answer(Ok(()));
    }
}

fn refuse_all(batch: Vec<Waiting>, error: &IngestError) {
    for waiting in batch {
        waiting.answer(Err(error.clone()));
    }
}
