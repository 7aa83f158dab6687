//! The handle that both faces call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::{Start, Subscription};
use runtime::metrics::Metrics;
use runtime::postgres::Database;
use runtime::shutdown::InFlight;
use tokio::task::JoinHandle;

use crate::config::StreamConfig;
use crate::connections::{Connections, Lease};
use crate::error::StreamError;
use crate::feed::Feed;
use crate::metrics::{Face, StreamMetrics};
use crate::pacer::Pacer;
use crate::ring::Ring;
use crate::snapshot::Snapshot;
use crate::store;
use crate::subscriber::Subscriber;
use crate::subscriptions::Subscriptions;

/// How long a ping may take.
const PING_TIMEOUT: Duration = Duration::from_millis(1500);

/// The stream of transactions. Clones share everything.
#[derive(Clone, Debug)]
pub struct Transactions {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: StreamConfig,
    connections: Connections,
    ring: Arc<Ring>,
    subscriptions: Subscriptions,
    metrics: StreamMetrics,
    in_flight: InFlight,
}

/// What runs behind the handle; whoever started it awaits it after the stop.
#[derive(Debug)]
pub struct Following(JoinHandle<()>);

impl Transactions {
    /// Applies the schema and begins to follow the transactions, on the current tokio runtime. `pool_size` is that of
    /// `database`.
    ///
    /// # Errors
    /// The schema cannot be applied, or the database does not say how far the numbers go.
    pub async fn start(
        config: &StreamConfig,
        database: Database,
        pool_size: usize,
        metrics: &Metrics,
        in_flight: InFlight,
    ) -> anyhow::Result<(Self, Following)> {
        let metrics = StreamMetrics::register(metrics)?;
        database
            .migrate(store::migrations(), store::MIGRATION_LOCK)
            .await?;
        let head = store::head(&*database.get().await?).await?;
        let ring = Arc::new(Ring::new(config.ring_events as usize, head));
        let connections = Connections::new(database, pool_size);
        let subscriptions = Subscriptions::default();
        let feed = Feed {
            connections: connections.clone(),
            ring: Arc::clone(&ring),
            subscriptions: subscriptions.clone(),
            metrics: metrics.clone(),
            interval: config.look_interval,
        };
        let following = tokio::spawn(feed.run(in_flight.drained().clone()));
        let shared = Shared {
            config: config.clone(),
            connections,
            ring,
            subscriptions,
            metrics,
            in_flight,
        };
        Ok((
            Self {
                shared: Arc::new(shared),
            },
            Following(following),
        ))
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// The database does not answer, or the service stops.
    pub async fn subscribe(
        &self,
        subscription: Subscription,
        face: Face,
    ) -> Result<Subscriber, StreamError> {
        let (after, not_before) = self.begin_in_time(&subscription).await?;
        let Shared {
            config,
            connections,
            ring,
            subscriptions,
            metrics,
            in_flight,
        } = &*self.shared;
        Ok(Subscriber {
            ring: Arc::clone(ring),
            head: ring.watch(),
            connections: connections.clone(),
            after,
            not_before,
            remaining: subscription.limit().map_or(u64::MAX, |limit| limit.get()),
            pacer: Pacer::new(subscription.rate()),
            subscription: Arc::new(subscription),
            heartbeat: config.heartbeat_interval,
            // A child of its own: subscribers then wait on no common lock.
            stop: in_flight.stop().child_token(),
            waiting: VecDeque::new(),
            reached: after,
            page: None,
            sent: metrics.sent(face),
            pages: metrics.pages.clone(),
            _open: subscriptions.open(metrics.subscribers(face)),
        })
    }

    /// Whether a stream could be opened now. Opens none.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn could_subscribe(&self, subscription: &Subscription) -> Result<(), StreamError> {
        self.begin_in_time(subscription).await.map(drop)
    }

    async fn begin_in_time(
        &self,
        subscription: &Subscription,
    ) -> Result<(u64, Option<Snapshot>), StreamError> {
        let limit = self.shared.config.request_timeout;
        let opening = tokio::time::timeout(limit, self.begin(subscription));
        let begun = self.shared.in_flight.run(opening).await?;
        begun.map_err(|_elapsed| StreamError::Timeout)?
    }

    /// The number after which a stream begins, and what a live one leaves out besides. Asks the database in any case: a
    /// stream that cannot go on now is not begun.
    async fn begin(
        &self,
        subscription: &Subscription,
    ) -> Result<(u64, Option<Snapshot>), StreamError> {
        let connection = Guarded(Some(self.shared.connections.get().await?));
        let client = connection.lease();
        let opening = store::open(client).await?;
        let begun = match subscription.start() {
            Start::Live => (opening.head, Some(opening.snapshot)),
            Start::After(sequence) => (sequence, None),
            Start::Since(since) => {
                let first = store::first_since(client, since).await?;
                // Where there is none yet, it comes after those that there are.
                (
                    first.map_or(opening.head, |first| first.saturating_sub(1)),
                    None,
                )
            }
        };
        connection.give_back();
        Ok(begun)
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StreamError> {
        Ok(self.shared.connections.ping(PING_TIMEOUT).await?)
    }

    /// Waits until no stream is open.
    pub(crate) async fn all_closed(&self) {
        self.shared.subscriptions.all_closed().await;
    }
}

impl Following {
    /// Waits for the end, which comes with the end of the drain.
    pub async fn finish(self) {
        if let Err(error) = self.0.await {
            tracing::error!(%error, "the feed ended abnormally");
        }
    }
}

/// A connection that is closed unless it is given back: whoever gives up waiting for an answer leaves one behind that may
/// never come.
struct Guarded(Option<Lease>);

impl Guarded {
    fn lease(&self) -> &Lease {
        self.0.as_ref().expect("present until it is given back")
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(lease) = self.0.take() {
            lease.close();
        }
    }
}
