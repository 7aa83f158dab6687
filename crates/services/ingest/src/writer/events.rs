//! Events that are written together, and who waits for each.

use domain::Event;
use runtime::wakeups;
use tokio::time::Instant;

use crate::caller::{Caller, Waiting};
use crate::error::{IngestError, Outcome};

/// Events that are written together, and who waits for each, position by position.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    pub(super) callers: Vec<Caller>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn size_hint_bytes(&self) -> usize {
        self.events.iter().map(Event::size_hint_bytes).sum()
    }

    pub(super) fn push(&mut self, waiting: Waiting) {
        self.events.push(waiting.event);
        self.callers.push(waiting.caller);
    }

    /// The first event alone.
    pub(super) fn into_first(self) -> Option<Waiting> {
        let event = self.events.into_iter().next()?;
        let caller = self.callers.into_iter().next()?;
        Some(Waiting { event, caller })
    }

    /// Answers everyone who was not answered yet.
    pub(super) fn answer(&mut self, outcome: &Outcome) {
        wakeups::gather(|| {
            for caller in &mut self.callers {
                caller.answer(outcome.clone());
            }
        });
    }

    /// Drops the events that nobody waits for any more, before they are written; answers those that are late.
    pub(super) fn drop_unwanted(&mut self) {
        let now = Instant::now();
        let wanted: Vec<bool> = wakeups::gather(|| {
            let callers = self.callers.iter_mut();
            callers
                .map(|caller| caller.expire(now, &IngestError::Timeout))
                .collect()
        });
        if wanted.iter().all(|wanted| *wanted) {
            return;
        }
        let mut each = wanted.iter();
        self.events
            .retain(|_| each.next().is_some_and(|wanted| *wanted));
        let mut each = wanted.iter();
        self.callers
            .retain(|_| each.next().is_some_and(|wanted| *wanted));
    }

    /// Takes those events out that `wanted` says, in order.
    pub(super) fn extract(&mut self, mut wanted: impl FnMut(usize, Waiting) -> Option<Waiting>) {
        let events = std::mem::take(&mut self.events);
        let callers = std::mem::take(&mut self.callers);
        for (at, (event, caller)) in events.into_iter().zip(callers).enumerate() {
            if let Some(kept) = wanted(at, Waiting { event, caller }) {
                self.push(kept);
            }
        }
    }
}

impl From<Waiting> for Batch {
    fn from(waiting: Waiting) -> Self {
        let mut batch = Self::default();
        batch.push(waiting);
        batch
    }
}
