//! The handle that both faces call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use domain::{Start, Subscription};
use runtime::metrics::Metrics;
use runtime::postgres::{Database, DatabaseError, DatabaseErrorKind, Pooling};
use runtime::shutdown::InFlight;
use tokio::task::JoinHandle;

use crate::arrivals::{Arrival, Arrivals};
use crate::config::StreamConfig;
use crate::connections::Connections;
use crate::error::StreamError;
use crate::feed::Feed;
use crate::heartbeat::Heartbeat;
use crate::metrics::{Face, StreamMetrics};
use crate::pacer::Pacer;
use crate::ring::Ring;
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
    arrivals: Arrivals,
    subscriptions: Subscriptions,
    metrics: StreamMetrics,
    in_flight: InFlight,
    /// Whether the feed has met an error and has not got over it yet.
    interrupted: Arc<AtomicBool>,
}

/// Where a stream begins.
struct Beginning {
    /// With the event after this number,
    after: u64,
    /// or with the first that comes here,
    arrival: Option<Arrival>,
    /// or with the first later event that is not before a time.
    seeking: bool,
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
        database.register(metrics)?;
        let metrics = StreamMetrics::register(metrics)?;
        ensure!(
            database.pooling().await? == Pooling::Session,
            "DATABASE_URL {}: a connection pooler in transaction mode stands before PostgreSQL, and who numbers needs a \
             session to itself (an advisory lock); connect to PostgreSQL itself or to a pool in session mode, with a \
             DATABASE_POOL_SIZE of 2 or more",
            database.url()
        );
        database.migrate(store::schema()).await?;
        let standing = store::standing(&*database.get().await?).await?;
        let ring = Arc::new(Ring::new(config.ring_events as usize, standing.head));
        let arrivals = Arrivals::new(standing.snapshot);
        let connections = Connections::new(database, pool_size);
        let subscriptions = Subscriptions::default();
        let interrupted = Arc::default();
        let feed = Feed {
            connections: connections.clone(),
            ring: Arc::clone(&ring),
            arrivals: arrivals.clone(),
            subscriptions: subscriptions.clone(),
            metrics: metrics.clone(),
            interval: config.look_interval,
            interrupted: Arc::clone(&interrupted),
        };
        let following = tokio::spawn(feed.run(in_flight.drained().clone()));
        let shared = Shared {
            config: config.clone(),
            connections,
            ring,
            arrivals,
            subscriptions,
            metrics,
            in_flight,
            interrupted,
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
        let beginning = self.begin_in_time(&subscription).await?;
        let Shared {
            config,
            connections,
            ring,
            subscriptions,
            metrics,
            in_flight,
            ..
        } = &*self.shared;
        Ok(Subscriber {
            ring: Arc::clone(ring),
            head: ring.watch(),
            connections: connections.clone(),
            after: beginning.after,
            arrival: beginning.arrival,
            seeking: beginning.seeking,
            remaining: subscription.limit().map_or(u64::MAX, |limit| limit.get()),
            pacer: Pacer::new(subscription.rate()),
            subscription: Arc::new(subscription),
            // HTTP/2 has pings of its own.
            heartbeat: Heartbeat::new((face == Face::Sse).then_some(config.heartbeat_interval)),
            // A child of its own: subscribers then wait on no common lock.
            stop: in_flight.stop().child_token(),
            waiting: VecDeque::new(),
            reached: beginning.after,
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

    async fn begin_in_time(&self, subscription: &Subscription) -> Result<Beginning, StreamError> {
        let limit = self.shared.config.request_timeout;
        let opening = tokio::time::timeout(limit, self.begin(subscription));
        let begun = self.shared.in_flight.run(opening).await?;
        begun.map_err(|_elapsed| StreamError::Timeout)?
    }

    /// Where a stream begins. Asks the database in any case: a stream that cannot go on now is not begun.
    async fn begin(&self, subscription: &Subscription) -> Result<Beginning, StreamError> {
        let arrival =
            matches!(subscription.start(), Start::Live).then(|| self.shared.arrivals.enter());
        let connection = self.shared.connections.get().await?;
        let standing = store::standing(&connection).await?;
        let mut beginning = Beginning {
            after: 0,
            arrival: None,
            seeking: false,
        };
        match subscription.start() {
            Start::Live => {
                if let Some(arrival) = &arrival {
                    arrival.arrived(standing.snapshot);
                }
                beginning.arrival = arrival;
            }
            Start::After(sequence) => beginning.after = sequence,
            Start::Since(since) => match store::first_since(&connection, since).await? {
                Some(first) => beginning.after = first.saturating_sub(1),
                // It comes after those that there are.
                None => {
                    beginning.after = standing.head;
                    beginning.seeking = true;
                }
            },
        }
        connection.give_back();
        Ok(beginning)
    }

    /// Whether transactions can be read, and are followed and numbered, if that falls to this process.
    ///
    /// # Errors
    /// The database does not answer, or what the service does there fails.
    pub async fn ping(&self) -> Result<(), StreamError> {
        self.check().await.map_err(|cause| match cause {
            Some(error) if error.kind() == DatabaseErrorKind::Unavailable => {
                StreamError::Database(error.cause())
            }
            _ => StreamError::Interrupted,
        })
    }

    /// [`Self::ping`] with the cause; none where the feed has told it.
    pub(crate) async fn check(&self) -> Result<(), Option<DatabaseError>> {
        self.shared.connections.ping(PING_TIMEOUT).await?;
        if self.shared.interrupted.load(Ordering::Relaxed) {
            return Err(None);
        }
        Ok(())
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
