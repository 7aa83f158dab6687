//! The handle that both faces call.

use std::sync::Arc;
use std::time::Duration;

use domain::{AccountId, AccountIds, Balance};
use runtime::metrics::Metrics;
use runtime::postgres::Database;
use runtime::shutdown::InFlight;
use runtime::wakeups::Forwarded;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::ReadsConfig;
use crate::error::BalanceError;
use crate::metrics::BalanceMetrics;
use crate::queue::{Queue, Waiting, Wanted};
use crate::reader::Reader;
use crate::store;

/// Balances by account id. Clones share everything.
#[derive(Clone, Debug)]
pub struct Balances {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    database: Database,
    queue: Arc<Queue>,
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
    /// Applies the schema and starts the readers on the current tokio runtime: no more of them than `connections`, the
    /// size of the pool.
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
        let metrics = BalanceMetrics::register(metrics)?;
        database.migrate(store::schema()).await?;
        let queue = Arc::new(Queue::new(config.queue_capacity as usize, metrics.clone()));
        let refuse = CancellationToken::new();
        let away = Arc::default();
        let tasks = (0..connections.min(config.readers.into())).map(|_| {
            let reader = Reader {
                database: database.clone(),
                queue: Arc::clone(&queue),
                metrics: metrics.clone(),
                max_accounts: config.max_read_accounts as usize,
                statement_timeout: config.request_timeout,
                away: Arc::clone(&away),
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
            database,
            queue,
            metrics,
            in_flight,
            request_timeout: config.request_timeout,
        });
        Ok((Self { shared }, readers))
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
        let (id, balance) = self.read(|answer| Wanted::One(id, answer)).await?;
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
        self.read(|answer| Wanted::Many(ids, answer)).await
    }

    /// Whether the database answers now.
    ///
    /// # Errors
    /// [`BalanceError::Database`].
    pub async fn ping(&self) -> Result<(), BalanceError> {
        let pinged = self.shared.database.ping().await;
        pinged.map_err(|error| BalanceError::Database(error.cause()))
    }

    /// Waits for a read that begins after this call.
    async fn read<T>(
        &self,
        wanted: impl FnOnce(oneshot::Sender<Result<T, BalanceError>>) -> Wanted,
    ) -> Result<T, BalanceError> {
        let deadline = Instant::now() + self.shared.request_timeout;
        let (sender, receiver) = oneshot::channel();
        self.shared.queue.push(Waiting {
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
