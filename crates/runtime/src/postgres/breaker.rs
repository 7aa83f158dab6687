//! The circuit breaker towards PostgreSQL: while the database is away, nobody waits for it.
//!
//! Closed, every statement goes through. It opens when a connection cannot be opened, or does not answer, twice in a row (once is
//! enough where it took a time limit to find out). Open, callers are told at once, and a probe of its own goes through, one at a
//! time, until the database answers: that closes it. Errors of statements (values, locks, conflicts, a full disk, rights) do not
//! open it: a database that says no is there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{IntCounter, IntGauge};
use tokio::sync::watch;
use tokio::time::Instant;

use super::error::{Cause, DatabaseError};

/// Pause before the second probe; it doubles with each.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// Longest pause between two probes.
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(200);

/// What a finding asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing more.
    Noted,
    /// Somebody has to probe the database until [`Breaker::probed`].
    Probe,
}

/// The breaker of one pool.
#[derive(Debug)]
pub(super) struct Breaker {
    /// What callers look at: one relaxed load while it is closed.
    is_open: AtomicBool,
    state: Mutex<State>,
    changes: watch::Sender<bool>,
    metrics: BreakerMetrics,
}

/// What `GET /metrics` says of a breaker.
#[derive(Clone, Debug)]
pub(super) struct BreakerMetrics {
    pub(super) open: IntGauge,
    pub(super) opened: IntCounter,
    pub(super) refused: IntCounter,
}

#[derive(Debug, Default)]
struct State {
    /// Since when the database is away, and why.
    open: Option<(Instant, Cause)>,
    /// Whether a probe is under way, or will be after a pause.
    probing: bool,
}

impl BreakerMetrics {
    fn new() -> Result<Self, prometheus::Error> {
        Ok(Self {
            open: IntGauge::new(
                "database_breaker_open",
                "1 while the database is away and callers are told so at once, else 0",
            )?,
            opened: IntCounter::new(
                "database_breaker_opened_total",
                "Times the database was found to be away",
            )?,
            refused: IntCounter::new(
                "database_breaker_refused_total",
                "Connections that were asked for and refused at once because the database was away",
            )?,
        })
    }
}

impl Breaker {
    /// Closed.
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            is_open: AtomicBool::new(false),
            state: Mutex::default(),
            changes: watch::Sender::new(false),
            metrics: BreakerMetrics::new()?,
        })
    }

    /// Whether the database may be asked.
    pub(super) fn check(&self) -> Result<(), DatabaseError> {
        if !self.is_open.load(Ordering::Relaxed) {
            return Ok(());
        }
        let open = self.state().open;
        let Some((_, cause)) = open else {
            return Ok(());
        };
        self.metrics.refused.inc();
        Err(DatabaseError::Away(cause))
    }

    /// Notes what somebody other than the probe met.
    pub(super) fn note(&self, error: &DatabaseError) -> Finding {
        let Some(sure) = says_away(error) else {
            return Finding::Noted;
        };
        let mut state = self.state();
        if sure {
            self.open(&mut state, error);
        }
        if std::mem::replace(&mut state.probing, true) {
            Finding::Noted
        } else {
            Finding::Probe
        }
    }

    /// Notes what the probe met. Whether the probe has to go on.
    pub(super) fn probed<T>(&self, answer: &Result<T, DatabaseError>) -> bool {
        let mut state = self.state();
        match answer {
            Err(error) if says_away(error).is_some() => {
                self.open(&mut state, error);
                return true;
            }
            // Whatever else it says, the database says something. Where the pool has no connection left for the probe, those who
            // have them will find out.
            _ => {}
        }
        state.probing = false;
        if let Some((since, _)) = state.open.take() {
            self.is_open.store(false, Ordering::Relaxed);
            self.metrics.open.set(0);
            self.changes.send_replace(false);
            let away_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(away_ms, "the database answers again");
        }
        false
    }

    fn open(&self, state: &mut State, error: &DatabaseError) {
        let cause = error.cause();
        match &mut state.open {
            Some((_, known)) => *known = cause,
            open @ None => {
                *open = Some((Instant::now(), cause));
                self.is_open.store(true, Ordering::Relaxed);
                self.metrics.open.set(1);
                self.metrics.opened.inc();
                self.changes.send_replace(true);
                tracing::warn!(
                    error = %error.chain(),
                    "the database is away: callers are told at once, and one probe at a time asks for it"
                );
            }
        }
    }

    /// Waits until it is closed.
    pub(super) async fn closed(&self) {
        // An error means that the sender is gone, which it is not: it is `self`.
        drop(self.changes.subscribe().wait_for(|open| !open).await);
    }

    pub(super) fn metrics(&self) -> &BreakerMetrics {
        &self.metrics
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error speaks for a database that is away, and if so, whether once is enough.
fn says_away(error: &DatabaseError) -> Option<bool> {
    match error {
        DatabaseError::NoAnswer { .. }
        | DatabaseError::AcquireTimeout {
            pool_exhausted: false,
            ..
        } => Some(true),
        DatabaseError::Postgres(_) => {
            matches!(error.cause(), Cause::Unreachable | Cause::Restarting).then_some(false)
        }
        DatabaseError::AcquireTimeout { .. }
        | DatabaseError::Away(_)
        | DatabaseError::Behind { .. }
        | DatabaseError::ReadOnly
        | DatabaseError::NoWrites(_)
        | DatabaseError::Pool(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_ANSWER: DatabaseError = DatabaseError::NoAnswer {
        limit: Duration::from_secs(1),
    };

    fn exhausted() -> DatabaseError {
        DatabaseError::AcquireTimeout {
            limit: Duration::from_secs(2),
            pool_exhausted: true,
        }
    }

    #[tokio::test]
    async fn a_database_that_does_not_answer_opens_it_and_its_answer_closes_it() {
        let breaker = Breaker::new().expect("metrics");
        assert!(breaker.check().is_ok());
        assert_eq!(breaker.note(&NO_ANSWER), Finding::Probe);
        let refused = breaker.check().expect_err("open");
        assert_eq!(refused.cause(), Cause::Unreachable);
        assert!(!refused.is_connection_lost(), "nothing was sent");
        // One probe at a time.
        assert_eq!(breaker.note(&NO_ANSWER), Finding::Noted);
        assert!(breaker.probed::<()>(&Err(NO_ANSWER)));
        assert!(breaker.check().is_err());
        assert!(!breaker.probed(&Ok(())));
        assert!(breaker.check().is_ok());
        breaker.closed().await;
        assert_eq!(breaker.note(&NO_ANSWER), Finding::Probe, "the next time");
        assert_eq!(breaker.metrics().opened.get(), 2);
        assert_eq!(breaker.metrics().refused.get(), 2);
    }

    #[test]
    fn what_the_database_says_of_values_locks_and_space_does_not_open_it() {
        let breaker = Breaker::new().expect("metrics");
        for error in [
            DatabaseError::ReadOnly,
            DatabaseError::NoWrites(Cause::DiskFull),
            DatabaseError::Pool("closed".into()),
            exhausted(),
        ] {
            assert_eq!(breaker.note(&error), Finding::Noted, "{error}");
            assert!(breaker.check().is_ok(), "{error}");
        }
    }

    #[test]
    fn a_pool_without_a_connection_for_the_probe_closes_it() {
        let breaker = Breaker::new().expect("metrics");
        breaker.note(&NO_ANSWER);
        assert!(!breaker.probed::<()>(&Err(exhausted())));
        assert!(breaker.check().is_ok());
    }
}
