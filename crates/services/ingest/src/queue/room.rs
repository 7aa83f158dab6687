//! How many events may wait, and how many bytes of them.

use std::sync::Arc;

use domain::Event;
use tokio::sync::Semaphore;

use crate::metrics::IngestMetrics;

/// Attributes that may wait in all queues together. Bounds memory when events are large.
pub(super) const CAPACITY_KIB: usize = 256 * 1024;

/// Events for which room is taken at once.
const CHUNK_EVENTS: usize = 256;
/// The same in KiB, unless one event is larger.
const CHUNK_KIB: u32 = 16 * 1024;

/// Room for events and for KiB, shared by all queues. Who takes some notes how much, and gives it back: many events at once,
/// since giving back takes a lock.
#[derive(Debug)]
pub(crate) struct Room {
    pub(super) events: Semaphore,
    pub(super) kib: Semaphore,
    chunk_events: usize,
    metrics: IngestMetrics,
}

/// Room for one event that is kept beside the queues; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    kib: u32,
}

impl Room {
    pub(super) fn new(capacity: usize, metrics: &IngestMetrics) -> Self {
        Self {
            events: Semaphore::new(capacity),
            kib: Semaphore::new(CAPACITY_KIB),
            // A chunk that waits holds the free room: it must not hold all of it.
            chunk_events: (capacity / 8).clamp(1, CHUNK_EVENTS),
            metrics: metrics.clone(),
        }
    }

    /// Takes room for an event of `kib` KiB, if there is any.
    pub(super) fn take(&self, event: &Event) -> Option<u32> {
        let kib = self.kib(event);
        let events = self.events.try_acquire().ok()?;
        self.kib.try_acquire_many(kib).ok()?.forget();
        events.forget();
        self.metrics.enqueued(1);
        Some(kib)
    }

    /// Waits for room for many events, and takes it. False if the semaphores are closed, which does not happen.
    pub(super) async fn take_when_free(&self, events: usize, kib: u32) -> bool {
        let count = u32::try_from(events).unwrap_or(u32::MAX);
        // Always in this order, so that two callers cannot hold one each and wait for the other.
        let Ok(all) = self.events.acquire_many(count).await else {
            return false;
        };
        let Ok(kib) = self.kib.acquire_many(kib).await else {
            return false;
        };
        all.forget();
        kib.forget();
        self.metrics.enqueued(events);
        true
    }

    /// Whether an event may be added to `events` others of `kib` KiB.
    pub(super) fn fits_chunk(&self, events: usize, kib: u32, event: &Event) -> bool {
        events == 0 || (events < self.chunk_events && kib + self.kib(event) <= CHUNK_KIB)
    }

    /// Gives back the room of events that left a queue; `None` for one that took none.
    pub(super) fn give_back(&self, kib_of_each: impl IntoIterator<Item = Option<u32>>) {
        let (mut events, mut kib) = (0, 0);
        for taken in kib_of_each.into_iter().flatten() {
            events += 1;
            kib += taken as usize;
        }
        self.add(events, kib);
    }

    fn add(&self, events: usize, kib: usize) {
        if events > 0 {
            self.events.add_permits(events);
            self.kib.add_permits(kib);
            self.metrics.dequeued(events);
        }
    }

    /// A place for an event that is no longer in a queue, if there is any.
    pub(crate) fn place(self: &Arc<Self>, event: &Event) -> Option<Place> {
        let kib = self.take(event)?;
        Some(self.kept(kib))
    }

    /// A place that has been taken.
    pub(crate) fn kept(self: &Arc<Self>, kib: u32) -> Place {
        Place {
            room: Arc::clone(self),
            kib,
        }
    }

    /// Size of an event in whole KiB, at least one.
    pub(super) fn kib(&self, event: &Event) -> u32 {
        u32::try_from(event.size_hint_bytes() / 1024 + 1)
            .unwrap_or(u32::MAX)
            .min(CAPACITY_KIB as u32)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.add(1, self.kib as usize);
    }
}
