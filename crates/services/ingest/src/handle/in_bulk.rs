//! The events of one bulk request.

use std::sync::Arc;

use domain::Event;
use tokio::time::{Instant, timeout_at};

use super::Ingest;
use crate::bulk::{self, Bulk};
use crate::caller::{Answer, Caller, Waiting};
use crate::error::{IngestError, Outcome};
use crate::queue::Queues;
use crate::wait::Wait;

impl Ingest {
    /// Stores the events of one bulk request and returns the outcome of each by its index. Events that name the same entity
    /// are applied in the order given. `wait`: as for [`Ingest::submit`].
    pub async fn submit_bulk(&self, events: Vec<(u64, Event)>, wait: Wait) -> Vec<(u64, Outcome)> {
        let deadline = self.deadline();
        #[cfg(feature = "kafka")]
        if let Some(kafka) = &self.shared.kafka {
            let outcomes = kafka.submit_bulk(&events, wait, deadline).await;
            let outcomes = outcomes.into_iter();
            return outcomes
                .map(|(index, outcome)| (index, self.counted(outcome)))
                .collect();
        }
        let indexes: Vec<u64> = events.iter().map(|(index, _)| *index).collect();
        let outcomes = match &self.shared.queues {
            None => self.write_each(events, wait, deadline).await,
            Some(queues) => self.share_out(queues, events, deadline).await,
        };
        let outcomes = outcomes
            .into_iter()
            .map(|outcome| self.counted(outcome.unwrap_or(Err(IngestError::Timeout))));
        indexes.into_iter().zip(outcomes).collect()
    }

    async fn write_each(
        &self,
        events: Vec<(u64, Event)>,
        wait: Wait,
        deadline: Instant,
    ) -> Vec<Option<Outcome>> {
        let mut outcomes = Vec::with_capacity(events.len());
        for (_, event) in events {
            outcomes.push(Some(match self.admit() {
                Ok(()) => self.write_alone(&event, wait, deadline).await,
                Err(away) => Err(away),
            }));
        }
        outcomes
    }

    /// Lets all writers work on the events, and waits for the last outcome or for the deadline.
    async fn share_out(
        &self,
        queues: &Queues,
        events: Vec<(u64, Event)>,
        deadline: Instant,
    ) -> Vec<Option<Outcome>> {
        if let Err(away) = self.admit() {
            return vec![Some(Err(away)); events.len()];
        }
        let bulk = Arc::new(Bulk::new(events.len()));
        // Also when the request is dropped: its waiting events are then not written.
        let sender = Leaves(&bulk);
        let in_order = events.iter().map(|(_, event)| event);
        let writers = bulk::spread(in_order, queues.writers(), |entity| self.hash_of(entity));
        let events = (0..).zip(events).zip(writers);
        let events = events.map(|((place, (_, event)), writer)| {
            let answer = Answer::OfBulk(place, Arc::clone(&bulk));
            let caller = Caller::new(answer, deadline);
            (writer, Waiting { event, caller })
        });
        let events = events.collect();
        let written = async {
            queues.push_when_room(events).await;
            bulk.complete().await;
        };
        // In both cases the outcomes known so far are returned.
        drop(timeout_at(deadline, written).await);
        sender.leave()
    }
}

/// The sender of a bulk request, who leaves when this is dropped.
struct Leaves<'a>(&'a Bulk);

impl Leaves<'_> {
    fn leave(self) -> Vec<Option<Outcome>> {
        self.0.leave()
    }
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
