//! The pool of the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
    Timeouts,
};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::breaker::{self, Breaker, Finding};
use super::connect;
use super::connection::Connection;
use super::error::DatabaseError;
use super::tls::{self, Connector};
use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::metrics::Metrics;

/// Longest time for [`Database::ping`].
const PING_TIMEOUT: Duration = Duration::from_millis(1500);

/// The application database. Cheap to clone; all clones share the pool, whose size is the number of all
/// connections of the process.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool,
    url: Arc<DatabaseUrl>,
    acquire_timeout: Duration,
    connector: Connector,
    pooled: Arc<AtomicBool>,
    writes: bool,
    /// Connections that the pool may open: what is lent comes off it.
    size: Arc<Mutex<usize>>,
    breaker: Arc<Breaker>,
    /// Where the breaker's probe runs: callers' runtimes may end.
    runtime: Handle,
}

impl Database {
    /// The pool without a first connection: connections are opened when they are needed.
    ///
    /// # Errors
    /// Called outside a tokio runtime, or the pool cannot be built.
    pub fn open(config: &DatabaseConfig) -> anyhow::Result<Self> {
        let connector = tls::connector(&config.database_url)?;
        let pooled = Arc::new(AtomicBool::new(false));
        let size = config.database_pool_size.get();
        let settings = connect::settings(&config.database_url, config.database_acquire_timeout);
        Ok(Self {
            pool: pool(settings, &connector, &pooled, size)?,
            url: Arc::new(config.database_url.clone()),
            acquire_timeout: config.database_acquire_timeout,
            connector,
            pooled,
            writes: false,
            size: Arc::new(Mutex::new(size)),
            breaker: Arc::new(Breaker::new()?),
            runtime: Handle::try_current()?,
        })
    }

    /// A pool of at most `most` connections, which the current runtime drives: what waits for them need not be woken from
    /// another thread. They come off the size of this pool, so that the process keeps no more connections. `None` where
    /// fewer than `keep` would be left, and outside a tokio runtime.
    ///
    /// deadpool gives up a place when a connection comes back to it: callers who ask for more than `keep` at once may get as
    /// many more as were lent, the first time, and these are closed when they come back.
    pub fn lend(&self, most: usize, keep: usize) -> Option<Self> {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let lent = size.saturating_sub(keep).min(most);
        if lent == 0 {
            return None;
        }
        let settings = connect::settings(&self.url, self.acquire_timeout);
        let pool = pool(settings, &self.connector, &self.pooled, lent).ok()?;
        *size -= lent;
        self.pool.resize(*size);
        Some(Self {
            pool,
            size: Arc::new(Mutex::new(lent)),
            ..self.clone()
        })
    }

    /// Whether a connection is open and nobody uses it.
    pub fn has_idle(&self) -> bool {
        self.pool.status().available > 0
    }

    /// The same for a service that writes: a database that takes no writes does not answer its [`Database::ping`].
    #[must_use]
    pub fn for_writes(&self) -> Self {
        Self {
            writes: true,
            ..self.clone()
        }
    }

    /// Adds what `/metrics` says of the circuit breaker.
    ///
    /// # Errors
    /// It was added already.
    pub fn register(&self, metrics: &Metrics) -> anyhow::Result<()> {
        let breaker = self.breaker.metrics().clone();
        metrics.register(breaker.open)?;
        metrics.register(breaker.opened)?;
        metrics.register(breaker.refused)
    }

    /// Whether the database may be asked: while it is away, callers are told so at once. Costs a few nanoseconds.
    ///
    /// # Errors
    /// [`DatabaseError::Away`].
    pub fn check(&self) -> Result<(), DatabaseError> {
        self.breaker.check()
    }

    /// Waits until the database may be asked.
    pub async fn reachable(&self) {
        self.breaker.closed().await;
    }

    /// Notes how a statement failed that was given a time limit of its own ([`DatabaseError::NoAnswer`]), or the opening of a
    /// connection: it may be that the database is away.
    pub fn note(&self, error: &DatabaseError) {
        if self.breaker.note(error) == Finding::Probe {
            // Detached: it ends when the database answers, or when the pool is closed.
            self.runtime.spawn(self.clone().probe());
        }
    }

    /// Asks the database until it answers.
    async fn probe(self) {
        let mut pause = breaker::FIRST_PAUSE;
        loop {
            let answer = self.ask().await;
            if !self.breaker.probed(&answer) || self.pool.is_closed() {
                return;
            }
            // Idle connections lead to where nobody answers.
            self.pool.retain(|_, _| false);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(breaker::LAST_PAUSE);
        }
    }

    /// A connection, waited for and opened within `DATABASE_ACQUIRE_TIMEOUT`; it goes back when it is dropped.
    ///
    /// # Errors
    /// [`DatabaseError::Away`] at once, [`DatabaseError::AcquireTimeout`], or why no connection can be opened.
    pub async fn get(&self) -> Result<Object, DatabaseError> {
        self.check()?;
        let got = self.get_within(self.acquire_timeout).await;
        got.inspect_err(|error| self.note(error))
    }

    /// As [`Database::get`], with a guard that closes the connection when it must not go back.
    ///
    /// # Errors
    /// As there.
    pub async fn connection(&self) -> Result<Connection, DatabaseError> {
        Ok(self.guard(self.get().await?))
    }

    fn guard(&self, client: Object) -> Connection {
        Connection::new(client, self.connector.clone(), Arc::clone(&self.pooled))
    }

    async fn get_within(&self, limit: Duration) -> Result<Object, DatabaseError> {
        let waiting = Timeouts {
            wait: Some(limit),
            ..Timeouts::default()
        };
        // The pool's own limit tells waiting for others from waiting for PostgreSQL, so that it comes first.
        let whole = limit + Duration::from_millis(10);
        let pool_exhausted =
            match tokio::time::timeout(whole, self.pool.timeout_get(&waiting)).await {
                Ok(Ok(client)) => return Ok(client),
                Ok(Err(PoolError::Timeout(TimeoutType::Wait))) => true,
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => false,
            };
        Err(DatabaseError::AcquireTimeout {
            limit,
            pool_exhausted,
        })
    }

    /// Asks the database for an answer, within 1.5 s; [for writes](Database::for_writes) also whether it takes them.
    ///
    /// # Errors
    /// No connection, no answer in that time, [`DatabaseError::ReadOnly`], or at once [`DatabaseError::Away`].
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        self.check()?;
        self.ask().await.inspect_err(|error| self.note(error))
    }

    /// [`Database::ping`] past the breaker.
    pub(super) async fn ask(&self) -> Result<(), DatabaseError> {
        let deadline = Instant::now() + PING_TIMEOUT;
        // A session that was opened while the database was read-only stays so: another one is asked once.
        let mut is_fresh = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Dropped without an answer it is closed: it may be hung, and the next user shall not get it.
            let connection = self.guard(self.get_within(left).await?);
            let answer = tokio::time::timeout_at(deadline, connection.ping()).await;
            let answer = answer.map_err(|_| DatabaseError::NoAnswer {
                limit: PING_TIMEOUT,
            })?;
            let takes_writes = match answer {
                Ok(takes_writes) => takes_writes,
                Err(error) => return Err(error),
            };
            if takes_writes || !self.writes {
                connection.give_back();
                return Ok(());
            }
            connection.close();
            if is_fresh {
                return Err(DatabaseError::ReadOnly);
            }
            // Idle sessions of that time go too.
            self.pool.retain(|_, _| false);
            is_fresh = true;
        }
    }

    /// The URL, for log lines: its `Display` hides the password.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// A connection that was opened just now: idle ones are closed.
    pub(super) async fn fresh(&self) -> Result<Connection, DatabaseError> {
        self.pool.retain(|_, _| false);
        self.connection().await
    }

    /// `DATABASE_ACQUIRE_TIMEOUT`.
    pub fn acquire_timeout(&self) -> Duration {
        self.acquire_timeout
    }

    /// Whether a pooler that shares sessions stands between: then a session's settings and its prepared statements are
    /// not its client's alone.
    pub fn is_pooled(&self) -> bool {
        self.pooled.load(Ordering::Relaxed)
    }

    pub(super) fn set_pooled(&self, pooled: bool) {
        self.pooled.store(pooled, Ordering::Relaxed);
    }

    /// Connections open and connections in use.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.size.saturating_sub(status.available))
    }

    /// Closes the pool: idle connections at once, those in use when they come back.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// A pool without a first connection, on the current runtime.
fn pool(
    settings: tokio_postgres::Config,
    connector: &Connector,
    pooled: &Arc<AtomicBool>,
    size: usize,
) -> anyhow::Result<Pool> {
    let runtime = tokio::runtime::Handle::try_current()?;
    let manager = Manager::from_connect(
        settings,
        connect::OnRuntime::new(runtime, connector.clone(), Arc::clone(pooled)),
        // A connection that its task has seen dying is dropped at the next `get`, before anyone has used it.
        ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        },
    );
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .build()
        .context("the connection pool cannot be built")
}
