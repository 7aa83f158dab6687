//! The bounded queues in front of the writers.
//!
//! One capacity, in events and in bytes, is shared by all writers: a burst on one shard may use it all. Whoever
//! finds no room is told at once (single events) or waits for room until its deadline (bulk and streams, whose
//! callers can be held back).

use std::collections::VecDeque;
use std::sync::Arc;

use domain::Event;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::caller::Waiting;
use crate::error::IngestError;
use crate::metrics::{Enqueued, IngestMetrics};

#[cfg(test)]
mod tests;

/// Attributes that may wait in all queues together. Bounds memory when events are large.
const CAPACITY_KIB: usize = 256 * 1024;

/// An event in a queue, and the room that it takes there.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) waiting: Waiting,
    pub(crate) place: Place,
}

/// Room for one event; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _events: OwnedSemaphorePermit,
    _kib: OwnedSemaphorePermit,
    _counted: Enqueued,
}

/// Room for events and for KiB. The channels are unbounded in type and bounded by these.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    events: Arc<Semaphore>,
    kib: Arc<Semaphore>,
    metrics: IngestMetrics,
}

/// The sending side: one queue per writer, one capacity for all.
#[derive(Debug)]
pub(crate) struct Queues {
    senders: Vec<mpsc::UnboundedSender<Queued>>,
    room: Room,
}

/// The receiving side of one writer.
#[derive(Debug)]
pub(crate) struct Shard {
    receiver: mpsc::UnboundedReceiver<Queued>,
    /// Taken off the channel; goes before what is still on it.
    backlog: VecDeque<Queued>,
    /// No deadline in the backlog is before it. Deadlines come in no order: a bulk request has one for all its events,
    /// however long they waited for room.
    earliest: Option<Instant>,
    room: Room,
}

pub(crate) fn queues(
    writers: usize,
    capacity: usize,
    metrics: &IngestMetrics,
) -> (Queues, Vec<Shard>) {
    let room = Room {
        events: Arc::new(Semaphore::new(capacity)),
        kib: Arc::new(Semaphore::new(CAPACITY_KIB)),
        metrics: metrics.clone(),
    };
    let (senders, shards) = (0..writers)
        .map(|_| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let shard = Shard {
                receiver,
                backlog: VecDeque::new(),
                earliest: None,
                room: room.clone(),
            };
            (sender, shard)
        })
        .unzip();
    (Queues { senders, room }, shards)
}

impl Queues {
    pub(crate) fn writers(&self) -> usize {
        self.senders.len()
    }

    /// Puts an event on the queue of `writer`; answers its caller when there is no room.
    pub(crate) fn push(&self, writer: usize, mut waiting: Waiting) {
        match self.room.place(&waiting.event) {
            Some(place) => self.send(writer, waiting, place),
            None => waiting.caller.answer(Err(IngestError::QueueFull)),
        }
    }

    /// As [`Self::push`], but waits for room until the event's deadline.
    pub(crate) async fn push_when_room(&self, writer: usize, mut waiting: Waiting) {
        let place = self.room.place_when_free(&waiting.event);
        match tokio::time::timeout_at(waiting.caller.deadline(), place).await {
            Ok(Some(place)) => self.send(writer, waiting, place),
            Ok(None) => waiting.caller.answer(Err(IngestError::Internal)),
            Err(_elapsed) => waiting.caller.answer(Err(IngestError::Timeout)),
        }
    }

    fn send(&self, writer: usize, waiting: Waiting, place: Place) {
        let sent = self.senders[writer].send(Queued { waiting, place });
        // Writers stop when they refuse what still waits, which comes too late for this one.
        if let Err(mpsc::error::SendError(mut queued)) = sent {
            queued.waiting.caller.answer(Err(IngestError::ShuttingDown));
        }
    }
}

impl Shard {
    /// Waits until there is an event. False when the queue is closed and drained.
    pub(crate) async fn arrival(&mut self) -> bool {
        if self.backlog.is_empty() {
            match self.receiver.recv().await {
                Some(queued) => self.keep(queued),
                None => return false,
            }
        }
        true
    }

    /// Gives `each` what waits, in the order of arrival: at most `events`, and no more than `bytes` of attributes unless
    /// it is one event. `each` says how many bytes of the limit it used up.
    pub(crate) fn take(
        &mut self,
        events: usize,
        bytes: usize,
        mut each: impl FnMut(Queued) -> usize,
    ) {
        let mut used = 0;
        for _ in 0..events {
            let next = self.backlog.pop_front();
            let Some(queued) = next.or_else(|| self.receiver.try_recv().ok()) else {
                return;
            };
            if used > 0 && used + queued.waiting.event.size_hint_bytes() > bytes {
                self.earliest = earlier(self.earliest, queued.waiting.caller.deadline());
                self.backlog.push_front(queued);
                return;
            }
            used += each(queued);
        }
    }

    /// Answers those whose deadline has passed while they wait, and forgets those who are gone.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Ok(queued) = self.receiver.try_recv() {
            self.keep(queued);
        }
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        self.backlog
            .retain_mut(|queued| queued.waiting.caller.expire(now, &IngestError::Timeout));
        let deadlines = self.backlog.iter();
        self.earliest = deadlines
            .map(|queued| queued.waiting.caller.deadline())
            .min();
    }

    /// Closes the queue and gives what still waits in it.
    pub(crate) fn close(&mut self) -> Vec<Queued> {
        self.receiver.close();
        while let Ok(queued) = self.receiver.try_recv() {
            self.keep(queued);
        }
        std::mem::take(&mut self.backlog).into()
    }

    /// Where the room for events is kept.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    fn keep(&mut self, queued: Queued) {
        self.earliest = earlier(self.earliest, queued.waiting.caller.deadline());
        self.backlog.push_back(queued);
    }
}

fn earlier(known: Option<Instant>, deadline: Instant) -> Option<Instant> {
    Some(known.map_or(deadline, |known| known.min(deadline)))
}

impl Room {
    /// Room for an event, if there is any.
    pub(crate) fn place(&self, event: &Event) -> Option<Place> {
        let events = Arc::clone(&self.events).try_acquire_owned().ok()?;
        let kib = Arc::clone(&self.kib)
            .try_acquire_many_owned(kib(event))
            .ok()?;
        Some(self.taken(events, kib))
    }

    /// Room for an event, waited for. `None` when there will be no more, which does not happen.
    async fn place_when_free(&self, event: &Event) -> Option<Place> {
        // Always in this order, so that two callers cannot hold one each and wait for the other.
        let events = Arc::clone(&self.events).acquire_owned().await.ok()?;
        let kib = Arc::clone(&self.kib)
            .acquire_many_owned(kib(event))
            .await
            .ok()?;
        Some(self.taken(events, kib))
    }

    fn taken(&self, events: OwnedSemaphorePermit, kib: OwnedSemaphorePermit) -> Place {
        Place {
            _events: events,
            _kib: kib,
            _counted: self.metrics.enqueued(),
        }
    }
}

/// Size of an event in whole KiB, at least one.
fn kib(event: &Event) -> u32 {
    u32::try_from(event.size_hint_bytes() / 1024 + 1)
        .unwrap_or(u32::MAX)
        .min(CAPACITY_KIB as u32)
}
