//! The receiving side of one writer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::line::{Line, Queued, Turn, earlier};
use super::room::Room;
use crate::caller::Waiting;
use crate::error::IngestError;

/// How often deadlines are checked while somebody writes. One timer for all statements and all requests.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The queue of one writer, as the writer sees it.
#[derive(Debug)]
pub(crate) struct Shard {
    line: Arc<Line>,
    /// Events taken off the queue, ahead of those that came since.
    backlog: VecDeque<Queued>,
    /// No event in the backlog has an earlier deadline.
    earliest: Option<Instant>,
    room: Arc<Room>,
    /// The next look at deadlines. Made when it is first needed; it is not set anew for each statement.
    look: Option<Pin<Box<Sleep>>>,
}

impl Shard {
    pub(super) fn new(line: Arc<Line>, room: Arc<Room>) -> Self {
        Self {
            line,
            backlog: VecDeque::new(),
            earliest: None,
            room,
            look: None,
        }
    }

    /// Waits until there is an event and no request leads: it is the writer's turn then, until this is called again.
    /// Meanwhile requests may lead if `may_lead`. False when no more events come.
    pub(crate) async fn arrival(&mut self, may_lead: bool) -> bool {
        loop {
            let is_watched = {
                let mut state = self.line.state();
                state.may_lead = may_lead;
                if state.leading.is_empty() {
                    if self.backlog.is_empty() {
                        std::mem::swap(&mut self.backlog, &mut state.waiting);
                        self.earliest = state.earliest.take();
                    }
                    if !self.backlog.is_empty() {
                        state.turn = Turn::Writer;
                        return true;
                    }
                    state.turn = Turn::Free;
                    if state.ended {
                        return false;
                    }
                }
                state.is_watched
            };
            let line = Arc::clone(&self.line);
            if !is_watched {
                line.call.notified().await;
                continue;
            }
            tokio::select! {
                biased;
                () = line.call.notified() => {}
                () = self.look() => self.watch_leaders(Instant::now()),
            }
        }
    }

    /// Waits for the next check of deadlines.
    pub(crate) async fn look(&mut self) {
        let look = self
            .look
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + LOOK_EVERY)));
        look.as_mut().await;
        look.as_mut().reset(Instant::now() + LOOK_EVERY);
    }

    /// Answers, at their deadlines, the callers whose events wait behind the leaders; ends leaders at their own deadlines.
    fn watch_leaders(&mut self, now: Instant) {
        self.expire(now);
        let mut state = self.line.state();
        let was_led = std::mem::take(&mut state.was_led);
        if state.leading.iter().any(|deadline| *deadline <= now) {
            self.line.overdue.notify_waiters();
        }
        if state.leading.is_empty() {
            // Nothing to watch: the next leader asks for it.
            state.is_watched = was_led;
        }
    }

    /// Gives `each` what waits, in the order of arrival: at most `events`, and no more than `bytes` of attributes unless
    /// it is one event. `each` gets the KiB of room that the event takes, and says how many bytes of the limit it used up;
    /// `None` where it keeps the event together with its room.
    pub(crate) fn take(
        &mut self,
        events: usize,
        bytes: usize,
        mut each: impl FnMut(Waiting, Option<u32>) -> Option<usize>,
    ) {
        let mut used = 0;
        let mut left = Vec::with_capacity(events.min(self.backlog.len()));
        for _ in 0..events {
            if self.backlog.is_empty() {
                let mut state = self.line.state();
                std::mem::swap(&mut self.backlog, &mut state.waiting);
                self.earliest = state.earliest.take();
            }
            let Some(queued) = self.backlog.pop_front() else {
                break;
            };
            if used > 0 && used + queued.waiting.event.size_hint_bytes() > bytes {
                self.backlog.push_front(queued);
                break;
            }
            let Queued { waiting, kib } = queued;
            if let Some(bytes) = each(waiting, kib) {
                used += bytes;
                left.push(kib);
            }
        }
        self.room.give_back(left);
    }

    /// Answers waiting callers whose deadline has passed, and drops events whose caller is gone.
    pub(crate) fn expire(&mut self, now: Instant) {
        let timeout = IngestError::Timeout;
        let mut left = Vec::new();
        let mut state = self.line.state();
        let state = &mut *state;
        for (waiting, earliest) in [
            (&mut self.backlog, &mut self.earliest),
            (&mut state.waiting, &mut state.earliest),
        ] {
            if earliest.is_none_or(|earliest| earliest > now) {
                continue;
            }
            *earliest = None;
            for mut queued in std::mem::take(waiting) {
                if queued.waiting.caller.expire(now, &timeout) {
                    *earliest = earlier(*earliest, queued.waiting.caller.deadline());
                    waiting.push_back(queued);
                } else {
                    left.push(queued.kib);
                }
            }
        }
        self.room.give_back(left);
    }

    /// Closes the queue and, once no request leads, returns the events that still wait in it.
    pub(crate) async fn close(&mut self) -> Vec<Waiting> {
        let mut rest: Vec<Queued> = std::mem::take(&mut self.backlog).into();
        let line = Arc::clone(&self.line);
        loop {
            {
                let mut state = line.state();
                state.closed = true;
                rest.extend(std::mem::take(&mut state.waiting));
                if state.leading.is_empty() {
                    break;
                }
            }
            line.call.notified().await;
        }
        self.room.give_back(rest.iter().map(|queued| queued.kib));
        rest.into_iter().map(|queued| queued.waiting).collect()
    }

    /// Where the room for events is kept.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }
}
