//! The bounded queues in front of the writers, and whose turn it is to write.
//!
//! One capacity, in events and in bytes, is shared by all writers: a burst on one shard may use it all. Whoever
//! finds no room is refused at once (single events) or waits for room until its deadline (bulk and streams, whose
//! callers can be slowed down).
//!
//! A shard is written by its writer, or by requests that came while it did not write and nothing waited ([`Lead`]). What
//! comes meanwhile waits for the next batch, and wakes nobody.

use std::sync::Arc;

use tokio::time::Instant;

use crate::caller::Waiting;
use crate::error::IngestError;
use crate::metrics::IngestMetrics;

mod lead;
mod line;
mod room;
mod shard;
#[cfg(test)]
mod tests;

pub(crate) use lead::Lead;
pub(crate) use room::{Place, Room};
pub(crate) use shard::Shard;

use line::{Line, Queued, Turn};

/// The sending side: one queue per writer, one capacity for all.
#[derive(Debug)]
pub(crate) struct Queues {
    lines: Vec<Arc<Line>>,
    room: Arc<Room>,
}

pub(crate) fn queues(
    writers: usize,
    capacity: usize,
    metrics: &IngestMetrics,
) -> (Queues, Vec<Shard>) {
    let room = Arc::new(Room::new(capacity, metrics));
    let lines: Vec<Arc<Line>> = (0..writers).map(|_| Arc::default()).collect();
    let shards = lines
        .iter()
        .map(|line| Shard::new(Arc::clone(line), Arc::clone(&room)))
        .collect();
    (Queues { lines, room }, shards)
}

impl Queues {
    pub(crate) fn writers(&self) -> usize {
        self.lines.len()
    }

    /// Puts an event on the queue of `writer`; answers its caller when there is no room.
    pub(crate) fn push(&self, writer: usize, waiting: Waiting) {
        if let Err(mut waiting) = self.push_where_room(writer, waiting) {
            waiting.caller.answer(Err(IngestError::QueueFull));
        }
    }

    /// As [`Self::push`], but the event waits for room until its deadline.
    pub(crate) async fn push_one_when_room(&self, writer: usize, waiting: Waiting) {
        if let Err(waiting) = self.push_where_room(writer, waiting) {
            self.push_when_room(vec![(writer, waiting)]).await;
        }
    }

    /// Returns the event if there is no room now.
    fn push_where_room(&self, writer: usize, waiting: Waiting) -> Result<(), Waiting> {
        let Some(kib) = self.room.take(&waiting.event) else {
            return Err(waiting);
        };
        let kib = Some(kib);
        self.send(writer, [Queued { waiting, kib }]);
        Ok(())
    }

    /// As [`Self::push`] for many events, which wait for room until the deadline of the first of them. Room is taken for
    /// many at once; each event goes to the writer that stands beside it, in order.
    pub(crate) async fn push_when_room(&self, events: Vec<(usize, Waiting)>) {
        let mut events = events.into_iter().peekable();
        let mut chunk = Vec::new();
        while let Some((_, first)) = events.peek() {
            let deadline = first.caller.deadline();
            let mut kib = 0;
            while let Some((_, next)) = events.peek()
                && self.room.fits_chunk(chunk.len(), kib, &next.event)
                && let Some((writer, waiting)) = events.next()
            {
                let its_own = self.room.kib(&waiting.event);
                kib += its_own;
                let kib = Some(its_own);
                chunk.push((writer, Queued { waiting, kib }));
            }
            let taken = self.room.take_when_free(chunk.len(), kib);
            let refusal = match tokio::time::timeout_at(deadline, taken).await {
                Ok(true) => None,
                Ok(false) => Some(IngestError::Internal),
                Err(_elapsed) => Some(IngestError::Timeout),
            };
            if let Some(refusal) = refusal {
                let late = chunk.into_iter().map(|(_, queued)| queued.waiting);
                for mut waiting in late.chain(events.map(|(_, waiting)| waiting)) {
                    waiting.caller.answer(Err(refusal.clone()));
                }
                return;
            }
            self.send_each(&mut chunk);
        }
    }

    /// Sends to each writer its events, in order, with one wake-up.
    fn send_each(&self, chunk: &mut Vec<(usize, Queued)>) {
        while let Some((writer, _)) = chunk.first() {
            let writer = *writer;
            let its_own = chunk.extract_if(.., |(other, _)| *other == writer);
            self.send(writer, its_own.map(|(_, queued)| queued));
        }
    }

    fn send(&self, writer: usize, events: impl IntoIterator<Item = Queued>) {
        let line = &self.lines[writer];
        let mut late = Vec::new();
        let mut state = line.state();
        for queued in events {
            if state.closed {
                late.push(queued);
            } else {
                state.add(queued);
            }
        }
        let idle = state.turn == Turn::Free && state.leading.is_empty();
        drop(state);
        if idle {
            line.call.notify_one();
        }
        // The writers have stopped, and have already refused what waited: refuse these events here.
        for mut queued in late {
            self.room.give_back([queued.kib]);
            queued.waiting.caller.answer(Err(IngestError::ShuttingDown));
        }
    }

    /// The turn to write an event of `writer`'s shard, where the writer does not write and nothing waits. `deadline` is that of the
    /// event's caller.
    pub(crate) fn lead(&self, writer: usize, deadline: Instant) -> Option<Lead> {
        Lead::take(&self.lines[writer], deadline)
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        for line in &self.lines {
            line.state().ended = true;
            line.call.notify_one();
        }
    }
}
