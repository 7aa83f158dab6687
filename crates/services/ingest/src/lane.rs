//! An ordered way in for many events of one caller.

use domain::Event;
use runtime::wakeups::Forwarded;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::caller::{Answer, Caller, Waiting};
use crate::error::{IngestError, Outcome};
use crate::handle::Ingest;
use crate::metrics::IngestMetrics;
use crate::wait::Wait;

impl Ingest {
    /// An ordered way in for many events of one caller: those for one entity are applied in the order submitted.
    ///
    /// `under_way` is how many events the caller lets wait for their outcome at the same time; `wait`: as for
    /// [`Ingest::submit`].
    pub fn lane(&self, under_way: usize, wait: Wait) -> (Lane, Outcomes) {
        let (sender, receiver) = mpsc::channel(under_way.max(1));
        let lane = self.next_lane();
        let lane = Lane {
            ingest: self.clone(),
            lane,
            wait,
            outcomes: sender,
        };
        (
            lane,
            Outcomes {
                receiver,
                metrics: self.metrics().clone(),
            },
        )
    }
}

/// See [`Ingest::lane`]. Dropping it ends the receiver once all outcomes are in.
#[derive(Debug)]
pub struct Lane {
    ingest: Ingest,
    /// All events of a lane go to one writer, which keeps their order.
    lane: usize,
    wait: Wait,
    outcomes: mpsc::Sender<(u64, Outcome)>,
}

impl Lane {
    /// Hands in an event; waits while the queue has no room. Its outcome comes through the receiver, with `index`.
    pub async fn submit(&self, index: u64, event: Event) {
        let deadline = self.ingest.deadline();
        self.submit_until(index, event, deadline).await;
    }

    /// Reports the outcome of an event that was refused before it could be submitted.
    pub async fn refuse(&self, index: u64, error: IngestError) {
        self.report(index, Err(error)).await;
    }

    async fn submit_until(&self, index: u64, event: Event, deadline: Instant) {
        if let Err(away) = self.ingest.admit() {
            return self.report(index, Err(away)).await;
        }
        #[cfg(feature = "kafka")]
        if let Some(kafka) = self.ingest.kafka().cloned() {
            // In the order of the calls; their outcomes come as Kafka acknowledges them.
            let queued = kafka.enqueue(&event, deadline).await;
            let (wait, outcomes) = (self.wait, self.outcomes.clone());
            // It ends at the deadline at the latest, and the receiver of the outcomes waits for it.
            drop(tokio::spawn(async move {
                let outcome = kafka.finish(queued, wait, deadline).await;
                // A receiver that is gone is a caller that is gone.
                drop(outcomes.send((index, outcome)).await);
            }));
            return;
        }
        match self.ingest.queues() {
            None => {
                let outcome = self.ingest.write_alone(&event, self.wait, deadline).await;
                self.report(index, outcome).await;
            }
            Some(queues) => {
                let answer = Answer::OfMany(index, self.outcomes.clone());
                let waiting = Waiting {
                    event,
                    caller: Caller::new(answer, deadline),
                };
                let writer = self.lane % queues.writers();
                queues.push_one_when_room(writer, waiting).await;
            }
        }
    }

    async fn report(&self, index: u64, outcome: Outcome) {
        // a receiver that is gone is a caller that is gone
        drop(self.outcomes.send((index, outcome)).await);
    }
}

/// The outcomes of a [`Lane`], as they come.
#[derive(Debug)]
pub struct Outcomes {
    receiver: mpsc::Receiver<(u64, Outcome)>,
    metrics: IngestMetrics,
}

impl Outcomes {
    /// The next outcome and the index it was submitted with; `None` when the lane is dropped and all are in.
    pub async fn next(&mut self) -> Option<(u64, Outcome)> {
        let receiver = &mut self.receiver;
        let received = Forwarded(std::future::poll_fn(|cx| receiver.poll_recv(cx)));
        let (index, outcome) = received.await?;
        if let Err(error) = &outcome {
            self.metrics.refused(error);
        }
        Some((index, outcome))
    }
}
