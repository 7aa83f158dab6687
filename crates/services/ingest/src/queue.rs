//! The bounded queues in front of the writers.
//!
//! One capacity, in events and in bytes, is shared by all writers: a burst on one shard may use it all. Whoever
//! finds no room is told at once (single events) or waits for room until its deadline (bulk and streams, whose
//! callers can be held back).

use std::collections::VecDeque;
use std::sync::Arc;

use domain::Event;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::error::{IngestError, Outcome};
use crate::metrics::IngestMetrics;

/// Attributes that may wait in all queues together. Bounds memory when events are large.
const CAPACITY_KIB: usize = 256 * 1024;

/// An event that waits, and who waits for it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) event: Event,
    pub(crate) caller: Caller,
}

/// Who waits for an event, and until when.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Taken when it was used: everyone is answered once.
    answer: Option<Answer>,
    pub(crate) deadline: Instant,
}

/// Where an outcome goes.
#[derive(Debug)]
pub(crate) enum Answer {
    One(oneshot::Sender<Outcome>),
    /// One of many, told apart by index. The channel has room for all that can be under way, see [`crate::Lane`].
    OfMany(u64, mpsc::Sender<(u64, Outcome)>),
}

impl Caller {
    pub(crate) fn new(answer: Answer, deadline: Instant) -> Self {
        Self {
            answer: Some(answer),
            deadline,
        }
    }

    /// Sends the outcome, unless one was sent. A caller that is gone is no error.
    pub(crate) fn answer(&mut self, outcome: Outcome) {
        match self.answer.take() {
            Some(Answer::One(sender)) => drop(sender.send(outcome)),
            Some(Answer::OfMany(index, sender)) => drop(sender.try_send((index, outcome))),
            None => {}
        }
    }

    /// Answers a caller whose deadline has passed. Whether it still waits.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        if self.deadline <= now {
            self.answer(Err(IngestError::Timeout));
        }
        self.is_waiting()
    }

    /// Whether an outcome still has somebody to go to.
    pub(crate) fn is_waiting(&self) -> bool {
        match &self.answer {
            Some(Answer::One(sender)) => !sender.is_closed(),
            Some(Answer::OfMany(_, sender)) => !sender.is_closed(),
            None => false,
        }
    }
}

/// The sending side: one queue per writer, one capacity for all.
#[derive(Debug)]
pub(crate) struct Queues {
    senders: Vec<mpsc::UnboundedSender<Waiting>>,
    room: Room,
    metrics: IngestMetrics,
}

/// The receiving side of one writer.
#[derive(Debug)]
pub(crate) struct Shard {
    receiver: mpsc::UnboundedReceiver<Waiting>,
    /// Taken off the channel to look at deadlines; goes before what is still on it, and holds its room.
    backlog: VecDeque<Waiting>,
    room: Room,
    metrics: IngestMetrics,
}

/// Permits for events and for KiB. The channels are unbounded in type and bounded by these.
#[derive(Clone, Debug)]
struct Room {
    events: Arc<Semaphore>,
    kib: Arc<Semaphore>,
}

pub(crate) fn queues(
    writers: usize,
    capacity: usize,
    metrics: &IngestMetrics,
) -> (Queues, Vec<Shard>) {
    let room = Room {
        events: Arc::new(Semaphore::new(capacity)),
        kib: Arc::new(Semaphore::new(CAPACITY_KIB)),
    };
    let (senders, shards) = (0..writers)
        .map(|_| {
            let (sender, receiver) = mpsc::unbounded_channel();
            let shard = Shard {
                receiver,
                backlog: VecDeque::new(),
                room: room.clone(),
                metrics: metrics.clone(),
            };
            (sender, shard)
        })
        .unzip();
    (
        Queues {
            senders,
            room,
            metrics: metrics.clone(),
        },
        shards,
    )
}

impl Queues {
    pub(crate) fn writers(&self) -> usize {
        self.senders.len()
    }

    /// Puts an event on the queue of `writer`, or says that there is no room.
    pub(crate) fn try_push(&self, writer: usize, waiting: Waiting) -> Result<(), IngestError> {
        let Ok(event) = self.room.events.try_acquire() else {
            return Err(IngestError::QueueFull);
        };
        let Ok(kib) = self.room.kib.try_acquire_many(kib(&waiting.event)) else {
            return Err(IngestError::QueueFull);
        };
        event.forget();
        kib.forget();
        self.push(writer, waiting)
    }

    /// As [`Self::try_push`], but waits for room until the event's deadline.
    pub(crate) async fn push_when_room(
        &self,
        writer: usize,
        waiting: Waiting,
    ) -> Result<(), IngestError> {
        let both = async {
            // always in this order, so that two callers cannot hold one each and wait for the other
            let event = self.room.events.acquire().await;
            let kib = self.room.kib.acquire_many(kib(&waiting.event)).await;
            event.and_then(|event| kib.map(|kib| (event, kib)))
        };
        match tokio::time::timeout_at(waiting.caller.deadline, both).await {
            Ok(Ok((event, kib))) => {
                event.forget();
                kib.forget();
            }
            Ok(Err(_closed)) => return Err(IngestError::ShuttingDown),
            Err(_elapsed) => return Err(IngestError::Timeout),
        }
        self.push(writer, waiting)
    }

    fn push(&self, writer: usize, waiting: Waiting) -> Result<(), IngestError> {
        let kib = kib(&waiting.event);
        self.metrics.enqueued();
        self.senders[writer]
            .send(waiting)
            .map_err(|_writer_is_gone| {
                self.room.release(1, kib as usize);
                self.metrics.dequeued(1);
                IngestError::ShuttingDown
            })
    }
}

impl Shard {
    /// Takes all that waits, at most `limit` events, and waits while there is none. 0 when the queue is closed and
    /// drained.
    pub(crate) async fn take(&mut self, batch: &mut Vec<Waiting>, limit: usize) -> usize {
        let before = batch.len();
        if self.backlog.is_empty() {
            self.receiver.recv_many(batch, limit).await;
        } else {
            batch.extend(self.backlog.drain(..limit.min(self.backlog.len())));
        }
        self.make_room(&batch[before..]);
        batch.len() - before
    }

    /// Answers those whose deadline has passed while they wait.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Ok(waiting) = self.receiver.try_recv() {
            self.backlog.push_back(waiting);
        }
        // in order of arrival and all with the same patience, so the late ones are in front
        let late = self
            .backlog
            .partition_point(|waiting| waiting.caller.deadline <= now);
        let expired: Vec<Waiting> = self.backlog.drain(..late).collect();
        self.make_room(&expired);
        for mut one in expired {
            one.caller.expire(now);
        }
    }

    /// Closes the queue and gives what still waits in it.
    pub(crate) fn close(&mut self) -> Vec<Waiting> {
        self.receiver.close();
        let mut rest: Vec<Waiting> = std::mem::take(&mut self.backlog).into();
        while let Ok(waiting) = self.receiver.try_recv() {
            rest.push(waiting);
        }
        self.make_room(&rest);
        rest
    }

    fn make_room(&self, taken: &[Waiting]) {
        let taken_kib = taken
            .iter()
            .map(|waiting| kib(&waiting.event) as usize)
            .sum();
        self.room.release(taken.len(), taken_kib);
        self.metrics.dequeued(taken.len());
    }
}

impl Room {
    fn release(&self, events: usize, kib: usize) {
        self.events.add_permits(events);
        self.kib.add_permits(kib);
    }
}

/// Size of an event in whole KiB, at least one.
fn kib(event: &Event) -> u32 {
    u32::try_from(event.size_hint_bytes() / 1024 + 1)
        .unwrap_or(u32::MAX)
        .min(CAPACITY_KIB as u32)
}
