//! The turn of a request that writes its own event.

use std::sync::Arc;

use tokio::time::Instant;

use super::line::{Line, Queued, Turn, earlier};
use crate::caller::Waiting;
use crate::error::IngestError;

/// Requests that may lead in one shard at a time. With one alone every sixth event would wait for a writer, at 1,000 a second
/// and 0.3 ms each; more than two would take from the batches what makes them cheap. Two that name one row wait for each
/// other in PostgreSQL.
const LEADERS: usize = 2;

/// The turn of a request to write its event. Given back when it is dropped; after the last one the writer takes what came
/// meanwhile.
#[derive(Debug)]
pub(crate) struct Lead {
    line: Arc<Line>,
    deadline: Instant,
}

impl Lead {
    pub(super) fn take(line: &Arc<Line>, deadline: Instant) -> Option<Self> {
        let mut state = line.state();
        let is_free = state.turn == Turn::Free && state.leading.len() < LEADERS;
        if !is_free || !state.waiting.is_empty() || !state.may_lead || state.closed {
            return None;
        }
        state.leading.push(deadline);
        state.was_led = true;
        let is_watched = std::mem::replace(&mut state.is_watched, true);
        drop(state);
        if !is_watched {
            line.call.notify_one();
        }
        Some(Self {
            line: Arc::clone(line),
            deadline,
        })
    }

    /// Ready when the deadline of the event's caller has passed.
    pub(crate) async fn overdue(&self) {
        loop {
            self.line.overdue.notified().await;
            if self.deadline <= Instant::now() {
                return;
            }
        }
    }

    /// Passes the event to the writer, ahead of all others.
    pub(crate) fn hand_over(self, mut waiting: Waiting) {
        let mut state = self.line.state();
        if state.closed {
            drop(state);
            return waiting.caller.answer(Err(IngestError::ShuttingDown));
        }
        state.earliest = earlier(state.earliest, waiting.caller.deadline());
        // It took no room, and has waited already.
        state.waiting.push_front(Queued { waiting, kib: None });
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut state = self.line.state();
        let mine = state.leading.iter().position(|it| *it == self.deadline);
        if let Some(mine) = mine {
            state.leading.swap_remove(mine);
        }
        let wanted = !state.waiting.is_empty() || state.ended || state.closed;
        let wanted = wanted && state.leading.is_empty();
        drop(state);
        if wanted {
            self.line.call.notify_one();
        }
    }
}
