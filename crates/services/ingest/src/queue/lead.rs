//! The turn of a request that writes its own event.

use std::sync::Arc;

use tokio::time::Instant;

use super::line::{Line, Queued, Turn, earlier};
use crate::caller::Waiting;
use crate::error::IngestError;

/// The turn to write a shard. Given back when it is dropped; then the writer takes what came meanwhile.
#[derive(Debug)]
pub(crate) struct Lead {
    line: Arc<Line>,
}

impl Lead {
    pub(super) fn take(line: &Arc<Line>, deadline: Instant) -> Option<Self> {
        let mut state = line.state();
        if state.turn != Turn::Free || !state.waiting.is_empty() || !state.may_lead || state.closed
        {
            return None;
        }
        state.turn = Turn::Leader(deadline);
        state.was_led = true;
        let is_watched = std::mem::replace(&mut state.is_watched, true);
        drop(state);
        if !is_watched {
            line.call.notify_one();
        }
        Some(Self {
            line: Arc::clone(line),
        })
    }

    /// Ready when the deadline of the event's caller has passed.
    pub(crate) async fn overdue(&self) {
        self.line.overdue.notified().await;
    }

    /// Leaves the event to the writer, before all others.
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
        state.turn = Turn::Free;
        let wanted = !state.waiting.is_empty() || state.ended || state.closed;
        drop(state);
        if wanted {
            self.line.call.notify_one();
        }
    }
}
