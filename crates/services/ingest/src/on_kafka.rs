//! Events to Kafka: acknowledged when all replicas in sync have them, merged later by the service `sink`.

use std::time::Duration;

use domain::Event;
use events_kafka::producer::Sent;
use events_kafka::{EventProducer, Place, SendError};
use runtime::postgres::Database;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::applied::{Applied, Waiter};
use crate::config::{IngestConfig, WriteMode};
use crate::error::{IngestError, Outcome};
use crate::metrics::IngestMetrics;
use crate::wait::Wait;

/// How Kafka's logs name producers.
const CLIENT_ID: &str = "producer";
/// How long waiting events may take when the service stops.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// An event that is on its way.
#[derive(Debug)]
pub(crate) struct Queued {
    sent: Result<Sent, SendError>,
    since: Instant,
}

/// Sends events to Kafka, if the settings say so.
#[derive(Clone, Debug)]
pub(crate) struct OnKafka {
    producer: EventProducer,
    applied: Applied,
    metrics: IngestMetrics,
    /// Cancelled when what still waits is to be refused.
    refuse: CancellationToken,
}

impl OnKafka {
    /// Connects, where events go to Kafka. What looks how far the sinks are runs among `tasks` until `refuse` is cancelled.
    pub(crate) async fn open(
        config: &IngestConfig,
        database: &Database,
        metrics: &IngestMetrics,
        refuse: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Option<Self>> {
        if config.write_mode != WriteMode::Kafka {
            return Ok(None);
        }
        let timeout = config.request_timeout;
        let producer = EventProducer::open(&config.kafka, &config.events, CLIENT_ID, timeout);
        let applied = Applied::new(database.clone(), &config.events);
        tasks.spawn(applied.clone().follow(refuse.clone()));
        Ok(Some(Self {
            producer: producer.await?,
            applied,
            metrics: metrics.clone(),
            refuse: refuse.clone(),
        }))
    }

    /// Sends one event and waits for the acknowledgement, and until it is merged where the caller wants that.
    pub(crate) async fn submit(&self, event: &Event, wait: Wait, deadline: Instant) -> Outcome {
        let queued = self.enqueue(event, deadline).await;
        self.finish(queued, wait, deadline).await
    }

    /// Puts one event behind those that wait: events stay in the order of the calls.
    pub(crate) async fn enqueue(&self, event: &Event, deadline: Instant) -> Queued {
        let since = Instant::now();
        let queued = timeout_at(deadline, self.producer.enqueue(event)).await;
        Queued {
            sent: in_time(queued),
            since,
        }
    }

    /// Waits for the acknowledgement, and until the event is merged where the caller wants that.
    pub(crate) async fn finish(&self, queued: Queued, wait: Wait, deadline: Instant) -> Outcome {
        let submitted = async {
            let place = acknowledged(queued.sent, deadline).await?;
            self.metrics.committed(1, queued.since.elapsed());
            match wait {
                Wait::Stored => Ok(()),
                Wait::Applied => self.waiter(place).await?.merged(deadline).await,
            }
        };
        tokio::select! {
            biased;
            outcome = submitted => outcome,
            () = self.refuse.cancelled() => Err(IngestError::ShuttingDown),
        }
    }

    /// Sends all in order, then waits for each.
    pub(crate) async fn submit_bulk(
        &self,
        events: &[(u64, Event)],
        wait: Wait,
        deadline: Instant,
    ) -> Vec<(u64, Outcome)> {
        let started = Instant::now();
        let mut sent = Vec::with_capacity(events.len());
        for (_, event) in events {
            let queued = timeout_at(deadline, self.producer.enqueue(event)).await;
            sent.push(in_time(queued));
        }
        let mut stored = Vec::with_capacity(events.len());
        for sent in sent {
            stored.push(acknowledged(sent, deadline).await);
        }
        let count = stored.iter().filter(|place| place.is_ok()).count();
        if count > 0 {
            self.metrics.committed(count as u64, started.elapsed());
        }
        let indexes = events.iter().map(|(index, _)| *index);
        let outcomes: Vec<Outcome> = match wait {
            Wait::Stored => stored.into_iter().map(|place| place.map(drop)).collect(),
            Wait::Applied => self.all_merged(stored, deadline).await,
        };
        indexes.zip(outcomes).collect()
    }

    /// Waits for all events at the same time.
    async fn all_merged(
        &self,
        stored: Vec<Result<Place, IngestError>>,
        deadline: Instant,
    ) -> Vec<Outcome> {
        let mut waiters = Vec::with_capacity(stored.len());
        for place in stored {
            waiters.push(match place {
                Ok(place) => self.waiter(place).await,
                Err(error) => Err(error),
            });
        }
        let mut outcomes = Vec::with_capacity(waiters.len());
        for waiter in waiters {
            outcomes.push(match waiter {
                Ok(waiter) => waiter.merged(deadline).await,
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    /// Waits for an event that Kafka has; where its place is not known, for all that its partition has now.
    async fn waiter(&self, mut place: Place) -> Result<Waiter, IngestError> {
        if place.offset < 0 {
            let last = self.producer.last_of(place.partition).await;
            place = last.map_err(|_told| IngestError::NotApplied)?;
        }
        Ok(self.applied.register(place))
    }

    pub(crate) async fn answers(&self) -> bool {
        self.producer.answers().await
    }

    pub(crate) async fn close(&self) {
        self.producer.close(CLOSE_WITHIN).await;
    }
}

/// An acknowledgement that does not come in time is an error.
fn in_time<T, E>(waited: Result<Result<T, SendError>, E>) -> Result<T, SendError> {
    waited.unwrap_or(Err(SendError::NotAcknowledged))
}

async fn acknowledged(
    sent: Result<Sent, SendError>,
    deadline: Instant,
) -> Result<Place, IngestError> {
    let stored = match sent {
        Ok(sent) => in_time(timeout_at(deadline, sent.acknowledged()).await),
        Err(error) => Err(error),
    };
    stored.map_err(|error| match error {
        SendError::NotAcknowledged => IngestError::NotAcknowledged,
        SendError::Unavailable => IngestError::Kafka,
        SendError::TooLarge => IngestError::Refused,
        SendError::Internal => IngestError::Internal,
    })
}
