//! How a service stops: SIGTERM or SIGINT closes the door, requests in flight are finished under a grace
//! period, what still waits then is refused.
//!
//! [`InFlight`] is what faces and handlers share. A request counts from the moment when its body is fully
//! received until its answer is made: idle connections, half-sent requests and streams with nothing
//! unanswered are no work, and nobody waits for them.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::status::{Failure, Kind};
use crate::telemetry::stopping;

/// How long requests may take to end after they were refused, before the process ends anyway.
const REFUSAL_TIME: Duration = Duration::from_millis(500);

/// A token that the first SIGTERM or SIGINT cancels; later ones are logged and change nothing.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn on_signals() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    // Lives as long as the process, like the signals: nobody awaits it.
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                Some(()) = terminate.recv() => "SIGTERM",
                Some(()) = interrupt.recv() => "SIGINT",
                else => return,
            };
            if cancelled.is_cancelled() {
                tracing::info!(signal = name, "stopping already");
            } else {
                tracing::info!(
                    signal = name,
                    "stopping: no new work, finishing what was accepted"
                );
                stopping::begin();
                cancelled.cancel();
            }
        }
    });
    Ok(stop)
}

/// Which way the drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ending {
    /// All that was accepted is finished.
    Clean,
    /// The grace period passed; what still waited was refused.
    GraceExpired,
}

impl Ending {
    /// The worse of two endings.
    pub fn and(self, other: Self) -> Self {
        if self == Self::Clean { other } else { self }
    }
}

impl From<Ending> for ExitCode {
    /// The exit status: 0 or 1.
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Clean => ExitCode::SUCCESS,
            Ending::GraceExpired => ExitCode::FAILURE,
        }
    }
}

/// Awaits `work` for at most `grace`.
pub async fn within(grace: Duration, work: impl Future<Output = ()>) -> Ending {
    match tokio::time::timeout(grace, work).await {
        Ok(()) => Ending::Clean,
        Err(_) => Ending::GraceExpired,
    }
}

/// The service stops: this work was not taken, or is no longer waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service is shutting down: retry later")]
pub struct ShuttingDown;

impl From<ShuttingDown> for Failure {
    fn from(reason: ShuttingDown) -> Self {
        Failure::new(Kind::Unavailable, reason.to_string())
    }
}

/// The requests that a service works on, and the order in which it stops. Cheap to clone; one for all faces.
///
/// ```text
/// stop cancelled -> door closed -> (count 0, or grace over -> refused) -> drained -> faces close connections
/// ```
#[derive(Clone, Debug)]
pub struct InFlight(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The number of guards, with [`CLOSED`] set once nothing new is taken.
    state: AtomicUsize,
    empty: Notify,
    stop: CancellationToken,
    refused: CancellationToken,
    drained: CancellationToken,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

impl InFlight {
    /// Nothing in flight yet. `stop` is what [`on_signals`] gave.
    pub fn new(stop: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            state: AtomicUsize::new(0),
            empty: Notify::new(),
            stop,
            refused: CancellationToken::new(),
            drained: CancellationToken::new(),
        }))
    }

    /// Counts a request whose body is fully received; hold the guard until the answer is made.
    ///
    /// # Errors
    /// The service no longer takes work.
    pub fn enter(&self) -> Result<Guard, ShuttingDown> {
        let before = self.0.state.fetch_add(1, Ordering::AcqRel);
        let guard = Guard(self.clone());
        if before & CLOSED == 0 {
            Ok(guard)
        } else {
            Err(ShuttingDown)
        }
    }

    /// Runs `work` as a request in flight. At the end of the grace period `work` is dropped where it stands.
    ///
    /// # Errors
    /// The service no longer takes work, or no longer waits for this.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Result<T, ShuttingDown> {
        let _guard = self.enter()?;
        tokio::select! {
            biased;
            output = work => Ok(output),
            () = self.0.refused.cancelled() => Err(ShuttingDown),
        }
    }

    /// How many requests are in flight.
    pub fn count(&self) -> usize {
        self.0.state.load(Ordering::Acquire) & !CLOSED
    }

    /// Cancelled when the service shall stop: streams with nothing unanswered end here.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Cancelled at the end of the grace period: what still waits is to be answered with [`ShuttingDown`].
    pub fn refused(&self) -> &CancellationToken {
        &self.0.refused
    }

    /// Cancelled when no request is in flight any more: faces close their connections.
    pub fn drained(&self) -> &CancellationToken {
        &self.0.drained
    }

    /// Waits for the stop, then until nothing is in flight or `grace` is over. Run it beside the faces.
    pub async fn drain(&self, grace: Duration) -> Ending {
        self.0.stop.cancelled().await;
        self.0.state.fetch_or(CLOSED, Ordering::AcqRel);
        let waiting = self.count();
        let ending = within(grace, self.emptied()).await;
        if ending == Ending::GraceExpired {
            tracing::warn!(
                requests = self.count(),
                grace_ms = grace.as_millis(),
                "grace period over: refusing what still waits"
            );
            self.0.refused.cancel();
            if within(REFUSAL_TIME, self.emptied()).await == Ending::GraceExpired {
                tracing::error!(
                    requests = self.count(),
                    "requests did not react to the refusal"
                );
            }
        } else {
            tracing::info!(
                requests = waiting,
                "requests in flight at the stop are finished"
            );
        }
        self.0.drained.cancel();
        ending
    }

    async fn emptied(&self) {
        loop {
            let empty = self.0.empty.notified();
            if self.count() == 0 {
                return;
            }
            empty.await;
        }
    }
}

/// A request in flight.
#[derive(Debug)]
#[must_use]
pub struct Guard(InFlight);

impl Drop for Guard {
    fn drop(&mut self) {
        let shared = &self.0.0;
        if shared.state.fetch_sub(1, Ordering::AcqRel) == CLOSED + 1 {
            // One waiter; a permit is kept for it if it is not waiting yet.
            shared.empty.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn the_drain_waits_for_the_last_guard_and_takes_nothing_new() {
        let stop = CancellationToken::new();
        let in_flight = InFlight::new(stop.clone());
        let guard = in_flight.enter().expect("open");
        let drain = tokio::spawn({
            let in_flight = in_flight.clone();
            async move { in_flight.drain(LONG).await }
        });
        stop.cancel();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!drain.is_finished());
        assert!(in_flight.enter().is_err());
        assert_eq!(in_flight.count(), 1);
        drop(guard);
        assert_eq!(drain.await.expect("drain"), Ending::Clean);
        assert!(in_flight.drained().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_the_end_of_the_grace_is_refused() {
        let stop = CancellationToken::new();
        let in_flight = InFlight::new(stop.clone());
        let stuck = tokio::spawn({
            let in_flight = in_flight.clone();
            async move { in_flight.run(std::future::pending::<()>()).await }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        stop.cancel();
        let begun = tokio::time::Instant::now();
        assert_eq!(
            in_flight.drain(Duration::from_secs(3)).await,
            Ending::GraceExpired
        );
        assert_eq!(begun.elapsed().as_secs(), 3);
        assert_eq!(stuck.await.expect("task"), Err(ShuttingDown));
    }

    #[tokio::test]
    async fn many_guards_on_many_threads_end_at_zero() {
        let stop = CancellationToken::new();
        let in_flight = InFlight::new(stop.clone());
        let tasks: Vec<_> = (0..100)
            .map(|_| {
                let in_flight = in_flight.clone();
                tokio::task::spawn_blocking(move || {
                    (0..100).filter(|_| in_flight.enter().is_ok()).count()
                })
            })
            .collect();
        stop.cancel();
        assert_eq!(in_flight.drain(LONG).await, Ending::Clean);
        for task in tasks {
            task.await.expect("task");
        }
        assert_eq!(in_flight.count(), 0);
    }
}
