//! A read-only replica: how far it is behind its primary, and the bound on that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use runtime::postgres::{Database, DatabaseError};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::BalanceError;
use crate::metrics::BalanceMetrics;
use crate::store::{self, Standing};

/// Looks in the time of the bound: a replica that falls behind is found out before it is over by much.
const LOOKS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
/// How long a look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// The bound, and as of when what is read is true at least. A primary is never behind.
#[derive(Debug)]
pub(crate) struct Replica {
    bound: Duration,
    begun: Instant,
    /// Microseconds since `begun`.
    as_of: AtomicU64,
    /// Which server said so: a start of one, as text. Another one may be further behind.
    said_by: Mutex<String>,
    /// What it was at the last look. It cannot become a replica without a restart.
    is_primary: AtomicBool,
    is_behind: AtomicBool,
    metrics: BalanceMetrics,
}

impl Replica {
    pub(crate) fn new(bound: Duration, metrics: BalanceMetrics) -> Self {
        Self {
            bound,
            begun: Instant::now(),
            as_of: AtomicU64::new(0),
            said_by: Mutex::default(),
            is_primary: AtomicBool::new(false),
            is_behind: AtomicBool::new(false),
            metrics,
        }
    }

    /// Refuses while the replica is further behind than allowed, or nobody can say how far it is.
    pub(crate) fn admit(&self) -> Result<(), BalanceError> {
        if self.lag() > self.bound {
            return Err(BalanceError::Behind { bound: self.bound });
        }
        Ok(())
    }

    /// [`Replica::admit`] for health.
    pub(crate) fn check(&self) -> Result<(), DatabaseError> {
        self.admit()
            .map_err(|_behind| DatabaseError::Behind { bound: self.bound })
    }

    /// Age of what is read now, at most.
    fn lag(&self) -> Duration {
        if self.is_primary.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let as_of = Duration::from_micros(self.as_of.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(as_of)
    }

    /// The first look, before anybody asks.
    pub(crate) async fn begin(&self, database: &Database) {
        if let Err(error) = self.look(database).await {
            tracing::warn!(error = %error.chain(), "nobody says how far the replica is behind");
        }
    }

    /// Looks at the replica until the stop.
    pub(crate) async fn watch(&self, database: &Database, stop: &CancellationToken) {
        let pause = (self.bound / LOOKS).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        let look = async || {
            if let Err(error) = self.look(database).await {
                tracing::debug!(error = %error.chain(), "nobody says how far the replica is behind");
            }
            self.tell();
            tokio::time::sleep(pause).await;
        };
        while stop.run_until_cancelled(look()).await.is_some() {}
    }

    async fn look(&self, database: &Database) -> Result<(), DatabaseError> {
        let connection = database.connection().await?;
        let asked = Instant::now();
        let looked = timeout(LOOK_WITHIN, store::standing(&connection)).await;
        // Given up, it is closed.
        let Ok(looked) = looked else {
            return Err(DatabaseError::NoAnswer { limit: LOOK_WITHIN });
        };
        connection.give_back_after(&looked);
        self.note(&looked?, asked);
        Ok(())
    }

    fn note(&self, standing: &Standing, asked: Instant) {
        let asked = asked.saturating_duration_since(self.begun);
        let micros = |at: Duration| u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
        let as_of = standing.lag().map(|lag| micros(asked.saturating_sub(lag)));
        let mut said_by = self.said_by.lock().unwrap_or_else(PoisonError::into_inner);
        if *said_by == standing.server {
            // What this server had replayed once, it still has.
            self.as_of.fetch_max(as_of.unwrap_or(0), Ordering::Relaxed);
        } else {
            said_by.clone_from(&standing.server);
            self.as_of.store(as_of.unwrap_or(0), Ordering::Relaxed);
        }
        let is_primary = !standing.is_replica;
        self.is_primary.store(is_primary, Ordering::Relaxed);
    }

    fn tell(&self) {
        let lag = self.lag();
        self.metrics.replica_lag(lag);
        let is_behind = lag > self.bound;
        if self.is_behind.swap(is_behind, Ordering::Relaxed) == is_behind {
            return;
        }
        if is_behind {
            tracing::warn!(
                lag_ms = lag.as_millis(),
                bound_ms = self.bound.as_millis(),
                "the replica is further behind than MAX_REPLICA_LAG: requests are refused"
            );
        } else {
            tracing::info!("the replica is no longer further behind than MAX_REPLICA_LAG");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(is_caught_up: bool, replayed_s: Option<f64>, server: &str) -> Standing {
        Standing {
            is_replica: true,
            is_caught_up,
            replayed_s,
            server: server.to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_is_as_old_as_the_best_that_is_known_of_this_server() {
        let registry = runtime::metrics::Metrics::new().expect("a registry");
        let metrics = BalanceMetrics::register(&registry).expect("metrics");
        let replica = Replica::new(Duration::from_secs(5), metrics);
        let after = async |seconds| {
            tokio::time::advance(Duration::from_secs(seconds)).await;
        };
        let lag = || replica.lag().as_secs();
        let note = |standing: Standing| replica.note(&standing, Instant::now());
        after(100).await;
        assert!(replica.admit().is_err(), "nobody has said anything");
        note(standing(true, Some(70.0), "a"));
        assert_eq!(lag(), 0, "nothing came for 70 s, and it has all");
        after(3).await;
        note(standing(false, Some(73.0), "a"));
        assert_eq!(lag(), 3, "it had all 3 s ago");
        assert!(replica.admit().is_ok());
        after(3).await;
        note(standing(false, Some(2.0), "a"));
        assert_eq!(lag(), 2, "it has replayed what is 2 s old");
        note(standing(false, Some(9.0), "b"));
        assert_eq!(lag(), 9, "another server");
        assert!(replica.admit().is_err() && replica.check().is_err());
        note(standing(false, None, "c"));
        assert!(lag() >= 100, "it has replayed nothing");
        let primary = Standing {
            is_replica: false,
            ..standing(false, None, "d")
        };
        note(primary);
        assert_eq!(lag(), 0);
        after(60).await;
        assert!(replica.admit().is_ok(), "a primary is never behind");
        note(standing(false, Some(9.0), "e"));
        assert_eq!(lag(), 9);
    }
}
