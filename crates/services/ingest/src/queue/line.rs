//! One shard's queue: what waits in it, and whose turn it is to write.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::caller::Waiting;

/// An event in a queue, and the room that it takes there.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) waiting: Waiting,
    /// KiB of room; `None` where the event took none.
    pub(super) kib: Option<u32>,
}

/// Whose turn it is to write a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// No writer: requests may lead.
    Free,
    Writer,
}

/// One shard's queue, shared by the faces, its writer, and the request that leads.
#[derive(Debug)]
pub(super) struct Line {
    state: Mutex<State>,
    /// Wakes the writer.
    pub(super) call: Notify,
    /// Tells leaders to check their deadlines.
    pub(super) overdue: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) waiting: VecDeque<Queued>,
    /// No waiting event has an earlier deadline. Deadlines are in no order: a bulk request has one for all its events,
    /// however long they waited for room.
    pub(super) earliest: Option<Instant>,
    pub(super) turn: Turn,
    /// The deadlines of the requests that write their own events now.
    pub(super) leading: Vec<Instant>,
    /// Whether a request may write its own event: not while events are parked.
    pub(super) may_lead: bool,
    /// Whether the writer checks the leaders' deadlines from time to time.
    pub(super) is_watched: bool,
    /// Whether somebody led since the writer's last look.
    pub(super) was_led: bool,
    /// No more events come: the handles are gone.
    pub(super) ended: bool,
    /// No more events are taken.
    pub(super) closed: bool,
}

impl Default for Line {
    fn default() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            earliest: None,
            turn: Turn::Free,
            leading: Vec::new(),
            may_lead: true,
            is_watched: false,
            was_led: false,
            ended: false,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            call: Notify::new(),
            overdue: Notify::new(),
        }
    }
}

impl Line {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn add(&mut self, queued: Queued) {
        self.earliest = earlier(self.earliest, queued.waiting.caller.deadline());
        self.waiting.push_back(queued);
    }
}

pub(super) fn earlier(known: Option<Instant>, deadline: Instant) -> Option<Instant> {
    Some(known.map_or(deadline, |known| known.min(deadline)))
}
