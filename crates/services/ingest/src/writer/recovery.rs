//! What a writer does when a batch fails.

use std::time::Duration;

use runtime::postgres::{Cause, Database, DatabaseError};
use tokio::time::Instant;

use super::events::Batch;
use super::{ALONE_AT_ONCE, Failure, SHORT_LOCK_WAIT, TRY_PARKED_EVERY, Which, Writer};
use crate::caller::Waiting;
use crate::error::{IngestError, Outcome};
use crate::parked::{self, Turn};
use crate::store;

/// Times a batch is tried before its events are tried one by one: after a conflict, or a lock that nobody holds when it is
/// looked for.
const ATTEMPTS: u32 = 3;
/// Pause before the next of them; it grows with each.
const PAUSE: Duration = Duration::from_millis(5);
/// Pause between tries while the database takes no writes.
const TROUBLE_PAUSE: Duration = Duration::from_millis(100);

/// What can be done about a failed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// Nothing: it may have been written, or no try will help soon.
    Answer,
    /// Some of its rows are locked: write the others.
    FindLocked,
    /// Run it again: a concurrent transaction was in the way.
    Again,
    /// Something in it: write its events one by one.
    OneByOne,
    /// The whole database takes no writes: wait a little.
    Wait,
}

/// What became of an event that was tried by itself.
#[derive(Debug)]
enum Tried {
    Done(Outcome),
    /// It failed because of another transaction and may be written later.
    Later(Cause),
}

/// Whether an event failed for want of a connection.
fn has_no_connection(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Err(IngestError::Database(
            Cause::Unreachable
                | Cause::Restarting
                | Cause::PoolExhausted
                | Cause::TooManyConnections
        ))
    )
}

impl Remedy {
    fn of(error: &DatabaseError, sent: bool) -> Self {
        if sent && error.is_connection_lost() {
            return Self::Answer;
        }
        match error.cause() {
            Cause::Locked => Self::FindLocked,
            Cause::Conflict => Self::Again,
            Cause::Cancelled | Cause::Data | Cause::Other => Self::OneByOne,
            // The pool has waited already.
            Cause::PoolExhausted => Self::Answer,
            Cause::Unreachable
            | Cause::Restarting
            | Cause::TooManyConnections
            | Cause::ReadOnly
            | Cause::DiskFull
            | Cause::OutOfResources => Self::Wait,
        }
    }
}

impl Writer {
    /// Writes a batch and answers everyone in it, whatever happens.
    pub(super) async fn write(&mut self, mut batch: Batch) {
        let mut attempt = 0;
        loop {
            batch.drop_unwanted();
            if batch.is_empty() {
                return;
            }
            let written = self.attempt(&mut batch, Which::All, self.lock_wait());
            let failure = match written.await {
                Ok(()) => return batch.answer(&Ok(())),
                Err(failure) => failure,
            };
            let Failure::Database { error, sent } = failure else {
                return batch.answer(&Err(failure.report()));
            };
            attempt += 1;
            match Remedy::of(&error, sent) {
                Remedy::FindLocked if self.park_locked(&mut batch, &error).await => {}
                Remedy::FindLocked | Remedy::Again if attempt < ATTEMPTS => {
                    tracing::debug!(attempt, error = %error.chain(), "a batch is tried again");
                    self.pause(&mut batch, PAUSE * attempt).await;
                }
                Remedy::FindLocked | Remedy::Again | Remedy::OneByOne => {
                    return self.write_each(batch, &error).await;
                }
                Remedy::Wait if self.trouble.may_pass(error.cause()) => {
                    tracing::debug!(error = %error.chain(), "a batch is tried again");
                    self.pause(&mut batch, TROUBLE_PAUSE).await;
                }
                Remedy::Wait | Remedy::Answer => {
                    return batch.answer(&Err(IngestError::report(&error)));
                }
            }
        }
    }

    /// Writes the events of a batch that failed with `error`, one by one, and answers everyone.
    async fn write_each(&mut self, mut batch: Batch, error: &DatabaseError) {
        if batch.len() > 1 {
            tracing::warn!(
                events = batch.len(),
                error = %error.chain(),
                "a batch failed; its events are tried one by one"
            );
        }
        let mut parked: Vec<(usize, Cause)> = Vec::new();
        for at in 0..batch.len() {
            let overtakes = |(before, _): &&(usize, Cause)| {
                batch.callers[*before].shares_lane(&batch.callers[at])
                    && parked::shares_key(&batch.events[*before], &batch.events[at])
            };
            if let Some((_, cause)) = parked.iter().find(overtakes) {
                parked.push((at, *cause));
                continue;
            }
            match self.write_one(&mut batch, at).await {
                Tried::Later(cause) => parked.push((at, cause)),
                Tried::Done(outcome) => {
                    let no_connection = has_no_connection(&outcome);
                    batch.callers[at].answer(outcome.clone());
                    if no_connection {
                        // The others would wait for one as long, each of them.
                        batch.answer(&outcome);
                        break;
                    }
                }
            }
        }
        if !parked.is_empty() {
            tracing::warn!(
                events = parked.len(),
                error = %error.chain(),
                "events are tried again by themselves until their deadlines; the others go on"
            );
        }
        let now = Instant::now();
        batch.extract(|at, waiting| {
            if let Some((_, cause)) = parked.iter().find(|(parked, _)| *parked == at) {
                self.park_alone(waiting, *cause, now);
                return None;
            }
            Some(waiting)
        });
    }

    /// Writes one event of a batch.
    async fn write_one(&mut self, batch: &mut Batch, at: usize) -> Tried {
        let mut attempt = 0;
        loop {
            if !batch.callers[at].is_waiting() {
                return Tried::Done(Err(IngestError::Timeout));
            }
            let tried = self.attempt(batch, Which::One(at), SHORT_LOCK_WAIT).await;
            let Err(failure) = tried else {
                return Tried::Done(Ok(()));
            };
            let Failure::Database { error, sent } = failure else {
                return Tried::Done(Err(failure.report()));
            };
            attempt += 1;
            match Remedy::of(&error, sent) {
                Remedy::FindLocked => return Tried::Later(error.cause()),
                Remedy::Again if attempt < ATTEMPTS => {}
                Remedy::Again => return Tried::Later(error.cause()),
                // Cancelled by somebody, it may pass at the second try; by a timeout, it will not.
                Remedy::OneByOne if error.cause() == Cause::Cancelled && attempt == 1 => {}
                Remedy::Wait if self.trouble.may_pass(error.cause()) => {
                    self.pause(batch, TROUBLE_PAUSE).await;
                }
                Remedy::OneByOne | Remedy::Wait | Remedy::Answer => {
                    return Tried::Done(Err(IngestError::report(&error)));
                }
            }
        }
    }

    /// Parks the events of a batch whose rows are locked. Whether there were any.
    async fn park_locked(&mut self, batch: &mut Batch, error: &DatabaseError) -> bool {
        let mut keys: Vec<(String, String)> = Vec::new();
        for entity in batch.events.iter().flat_map(domain::Event::entities) {
            let (entity_type, id) = parked::key(entity);
            keys.push((entity_type.to_owned(), id.to_owned()));
        }
        keys.sort_unstable();
        keys.dedup();
        let database = self.database.clone();
        let looked = self
            .watch(&mut batch.callers, 0..0, locked(&database, &keys))
            .await;
        let Ok(Ok(locked)) = looked else {
            // The next try says what is wrong.
            return false;
        };
        let held = keys.iter().zip(&locked).filter(|(_, locked)| **locked);
        let held = held.map(|((entity_type, id), _)| (entity_type.as_str(), id.as_str()));
        self.parked.lock(held);
        let before = batch.len();
        let (parked, room) = (&mut self.parked, self.shard.room());
        batch.extract(|_, waiting| {
            if parked.holds(&waiting) {
                let place = room.place(&waiting.event);
                parked.park(waiting, place);
                return None;
            }
            Some(waiting)
        });
        let events = before - batch.len();
        if events > 0 {
            self.try_parked_at = Instant::now() + TRY_PARKED_EVERY;
            tracing::warn!(
                events,
                error = %error.chain(),
                "events wait for rows that other transactions have locked; the others go on"
            );
        }
        events > 0
    }

    fn park_alone(&mut self, waiting: Waiting, cause: Cause, now: Instant) {
        let place = self.shard.room().place(&waiting.event);
        self.parked.park_alone(waiting, place, cause, now);
        self.try_parked_at = now + TRY_PARKED_EVERY;
    }

    fn park_again(&mut self, one: Batch, turn: Turn, cause: Cause) {
        if let Some(waiting) = one.into_first() {
            self.parked
                .failed_again(waiting, turn, cause, Instant::now());
        }
    }

    /// Looks which rows were freed and moves their events to `batch`; tries some of the others one by one.
    pub(super) async fn try_parked(&mut self, batch: &mut Batch) {
        let begun = Instant::now();
        self.parked.expire(begun);
        let keys = self.parked.keys();
        if !keys.is_empty() {
            let database = self.database.clone();
            match self.watch(&mut [], 0..0, locked(&database, &keys)).await {
                Ok(Ok(locked)) => {
                    self.parked.look_failed(None);
                    let freed = self.parked.freed(&keys, &locked, self.max_batch_events);
                    freed.into_iter().for_each(|waiting| batch.push(waiting));
                }
                Ok(Err(error)) => {
                    tracing::debug!(error = %error.chain(), "no look for locked rows");
                    self.parked.look_failed(Some(error.cause()));
                }
                Err(_refused) => return,
            }
        }
        for _ in 0..ALONE_AT_ONCE {
            let Some((waiting, turn)) = self.parked.next_alone(Instant::now()) else {
                break;
            };
            let mut one = Batch::from(waiting);
            match self.write_one(&mut one, 0).await {
                Tried::Done(outcome) => one.answer(&outcome),
                Tried::Later(cause) => self.park_again(one, turn, cause),
            }
        }
        // Where a look takes long, others must not wait for it all the time.
        self.try_parked_at = Instant::now() + TRY_PARKED_EVERY.max(begun.elapsed() * 4);
    }

    /// Waits; meanwhile callers are answered at their deadlines.
    async fn pause(&mut self, batch: &mut Batch, pause: Duration) {
        let all = 0..batch.len();
        // Both ends of it are found by the next try: the stop, and that nobody waits any more.
        let _paused = self
            .watch(&mut batch.callers, all, tokio::time::sleep(pause))
            .await;
    }
}

async fn locked(
    database: &Database,
    keys: &[(String, String)],
) -> Result<Vec<bool>, DatabaseError> {
    let (entity_types, ids): (Vec<&str>, Vec<&str>) = keys
        .iter()
        .map(|(entity_type, id)| (entity_type.as_str(), id.as_str()))
        .unzip();
    let connection = database.connection().await?;
    let locked = store::locked(&connection, &entity_types, &ids).await;
    connection.give_back_after(&locked);
    locked
}
