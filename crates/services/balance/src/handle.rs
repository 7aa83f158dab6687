//! The handle that both faces call.

use std::sync::Arc;
use std::time::Duration;

use domain::{AccountId, AccountIds, Balance};
use runtime::detach::DetachOnDrop;
use runtime::metrics::Metrics;
use runtime::postgres::{Database, DatabaseError};
use runtime::shutdown::InFlight;
use runtime::threads;
use runtime::wakeups::Forwarded;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::{ReadMode, ReadsConfig};
use crate::error::BalanceError;
use crate::metrics::BalanceMetrics;
use crate::queue::{Lone, Queue, Waiting, Wanted};
use crate::reader::Reader;
use crate::reading::Reading;
use crate::store;

/// How long each step of a check of health may take.
const CHECK_TIMEOUT: Duration = Duration::from_millis(1200);

/// Connections of a thread whose requests read for themselves.
const LONE_CONNECTIONS: usize = 2;

/// Balances by account id. Clones share everything.
#[derive(Clone, Debug)]
pub struct Balances {
    shared: Arc<Shared>,
    /// Whether requests may read for themselves; otherwise all wait for a reader.
    has_own_threads: bool,
}

#[derive(Debug)]
struct Shared {
    reading: Arc<Reading>,
    /// Absent where each request reads for itself.
    queue: Option<Arc<Queue>>,
    readers: usize,
    metrics: BalanceMetrics,
    in_flight: InFlight,
    request_timeout: Duration,
}

/// The readers of one process; whoever started them stops them.
#[derive(Debug)]
pub struct Readers {
    tasks: JoinSet<()>,
    queue: Arc<Queue>,
    metrics: BalanceMetrics,
    refuse: CancellationToken,
}

impl Balances {
    /// Applies the schema and starts the readers on the current tokio runtime, where reads are shared: no more of them than
    /// `connections`, the size of the pool.
    ///
    /// # Errors
    /// The schema cannot be applied.
    pub async fn start(
        config: &ReadsConfig,
        database: Database,
        connections: usize,
        metrics: &Metrics,
        in_flight: InFlight,
    ) -> anyhow::Result<(Self, Readers)> {
        database.register(metrics)?;
        let metrics = BalanceMetrics::register(metrics)?;
        database.migrate(store::schema()).await?;
        let queue = Arc::new(Queue::new(config.queue_capacity as usize, metrics.clone()));
        let refuse = CancellationToken::new();
        let reading = Arc::new(Reading::new(
            database,
            metrics.clone(),
            config.request_timeout,
            config.max_replica_lag,
        ));
        reading.begin_with_replica().await;
        let shared_reads = config.read_mode == ReadMode::Group;
        let count = if shared_reads {
            connections.min(config.readers.into())
        } else {
            0
        };
        let tasks = (0..count).map(|_| {
            let reader = Reader {
                reading: Arc::clone(&reading),
                queue: Arc::clone(&queue),
                max_accounts: config.max_read_accounts as usize,
                refuse: refuse.clone(),
            };
            reader.run()
        });
        let readers = Readers {
            tasks: tasks.collect(),
            queue: Arc::clone(&queue),
            metrics: metrics.clone(),
            refuse,
        };
        let shared = Arc::new(Shared {
            reading,
            queue: shared_reads.then_some(queue),
            readers: count,
            metrics,
            in_flight,
            request_timeout: config.request_timeout,
        });
        let has_own_threads = false;
        Ok((
            Self {
                shared,
                has_own_threads,
            },
            readers,
        ))
    }

    /// This handle for requests that never move to another thread (actix-web, [`runtime::threads::Workers`]): each thread has
    /// connections of its own for requests that have nobody to share a read with. They come off the pool's size; where too
    /// few would be left to the readers and to health, there are none.
    #[must_use]
    pub fn on_own_threads(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            has_own_threads: true,
        }
    }

    /// Runs a face's work on one request, as a request in flight: at the end of the grace period it is refused. Counts
    /// what ends in an error.
    ///
    /// # Errors
    /// Those of `work`, and [`BalanceError::ShuttingDown`].
    pub async fn answer<T>(
        &self,
        work: impl Future<Output = Result<T, BalanceError>>,
    ) -> Result<T, BalanceError> {
        let outcome = self.shared.in_flight.run(work).await;
        outcome
            .map_err(BalanceError::from)
            .flatten()
            .inspect_err(|error| self.shared.metrics.refused(error))
    }

    /// The balance of one account.
    ///
    /// # Errors
    /// [`BalanceError::UnknownAccount`], or why it could not be read.
    pub async fn balance(&self, id: AccountId) -> Result<(AccountId, Balance), BalanceError> {
        self.shared.reading.admit()?;
        let (id, balance) = match &self.shared.queue {
            Some(queue) => match self.lone(queue) {
                Some((reading, lone)) => read_lone(reading, lone, id).await?,
                None => self.read(queue, |answer| Wanted::One(id, answer)).await?,
            },
            None => {
                let found = self.read_alone(std::slice::from_ref(&id)).await?;
                (id, found.into_iter().next().flatten())
            }
        };
        match balance {
            Some(balance) => Ok((id, balance)),
            None => Err(BalanceError::UnknownAccount(id)),
        }
    }

    /// The balance of each account in the order asked, all as of one moment; `None` for one that does not exist.
    ///
    /// # Errors
    /// Why they could not be read.
    pub async fn balances(
        &self,
        ids: AccountIds,
    ) -> Result<Vec<(AccountId, Option<Balance>)>, BalanceError> {
        self.shared.reading.admit()?;
        match &self.shared.queue {
            Some(queue) => self.read(queue, |answer| Wanted::Many(ids, answer)).await,
            None => {
                let found = self.read_alone(ids.as_slice()).await?;
                Ok(ids.into_iter().zip(found).collect())
            }
        }
    }

    /// What a request reads with at once, where it has nobody to share a read with.
    fn lone(&self, queue: &Arc<Queue>) -> Option<(Arc<Reading>, Lone)> {
        if !self.has_own_threads {
            return None;
        }
        let shared = &self.shared;
        let lend = || shared.reading.lend(LONE_CONNECTIONS, shared.readers + 1);
        let reading = threads::of_this_thread(shared, lend)?;
        let lone = reading.is_ready().then(|| queue.lone())?;
        Some((reading, lone?))
    }

    /// Looks how far the replica is behind, until the stop; ends at once where no bound is set.
    pub(crate) async fn watch_replica(&self, stop: &CancellationToken) {
        self.shared.reading.watch_replica(stop).await;
    }

    /// Whether balances can be read now.
    ///
    /// # Errors
    /// [`BalanceError::Database`], [`BalanceError::Behind`].
    pub async fn ping(&self) -> Result<(), BalanceError> {
        self.shared.reading.admit_replica()?;
        let checked = self.check().await;
        checked.map_err(|error| BalanceError::Database(error.cause()))
    }

    /// [`Self::ping`] with the cause.
    pub(crate) async fn check(&self) -> Result<(), DatabaseError> {
        self.shared.reading.check(CHECK_TIMEOUT).await
    }

    /// A read of its own for one request, on a pooled connection that it may have to wait for.
    async fn read_alone(&self, ids: &[AccountId]) -> Result<Vec<Option<Balance>>, BalanceError> {
        let deadline = Instant::now() + self.shared.request_timeout;
        let reading = &self.shared.reading;
        let read = async {
            loop {
                match reading.connection().await {
                    Ok(client) => return reading.read(client, 1, ids.iter()).await,
                    // Others have all connections, and will be back.
                    Err(DatabaseError::AcquireTimeout {
                        pool_exhausted: true,
                        ..
                    }) => {}
                    Err(error) => return Err(reading.report(&error)),
                }
            }
        };
        let read = timeout_at(deadline, read).await;
        read.unwrap_or(Err(BalanceError::Timeout))
    }

    /// Waits for a read that begins after this call.
    async fn read<T>(
        &self,
        queue: &Queue,
        wanted: impl FnOnce(oneshot::Sender<Result<T, BalanceError>>) -> Wanted,
    ) -> Result<T, BalanceError> {
        let deadline = Instant::now() + self.shared.request_timeout;
        let (sender, receiver) = oneshot::channel();
        queue.push(Waiting {
            wanted: wanted(sender),
            deadline,
        })?;
        match timeout_at(deadline, Forwarded(receiver)).await {
            Ok(Ok(answer)) => answer,
            // The reader ended without an answer: it was stopped.
            Ok(Err(_closed)) => Err(BalanceError::ShuttingDown),
            Err(_elapsed) => Err(BalanceError::Timeout),
        }
    }
}

/// One read for one request. It goes on when the request is dropped: a client that leaves closes no connection.
async fn read_lone(
    reading: Arc<Reading>,
    lone: Lone,
    id: AccountId,
) -> Result<(AccountId, Option<Balance>), BalanceError> {
    let read = DetachOnDrop::new(async move {
        let _lone = lone;
        let connection = reading.connection().await;
        let connection = connection.map_err(|error| reading.report(&error))?;
        let ids = std::slice::from_ref(&id);
        let found = reading.read(connection, 1, ids.iter()).await?;
        Ok((id, found.into_iter().next().flatten()))
    });
    read.await
}

impl Readers {
    /// Ends the readers, refuses what still waits, and logs the totals. Call it when nothing is in flight any more.
    pub async fn finish(mut self) {
        self.refuse.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a reader ended abnormally");
            }
        }
        for waiting in self.queue.close() {
            waiting.refuse(BalanceError::ShuttingDown);
        }
        self.metrics.log_totals();
    }
}
