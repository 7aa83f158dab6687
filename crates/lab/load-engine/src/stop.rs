//! Graceful shutdown: SIGINT and SIGTERM ask the run to stop; a second one aborts it.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long answers to what is in flight are awaited after the first signal.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// How long the end of the run may take after the second one.
const LAST_STEPS: Duration = Duration::from_millis(250);

/// The run was asked to stop before it had anything to show, or at the second signal did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted: there is no result")
    }
}

impl std::error::Error for Interrupted {}

/// Whether the run is asked to stop. Cheap to clone; all clones say the same.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: CancellationToken,
    halted: CancellationToken,
}

impl Stop {
    /// Listens for signals, on a task of the current runtime. Nothing that is started after this can be killed by them
    /// unheard.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn listen() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        let stop = Self::never();
        // Ends with the runtime.
        tokio::spawn(stop.clone().follow(interrupt, terminate));
        Ok(stop)
    }

    /// Asks the run to stop, too, once standard input has ended. What is read until then is thrown away.
    ///
    /// # Errors
    /// The thread that reads it cannot be started.
    pub fn at_end_of_input(self) -> std::io::Result<()> {
        let read = move || {
            // An input that cannot be read has ended as well.
            std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).ok();
            self.asked.cancel();
            std::thread::sleep(LAST_ANSWERS);
            self.halted.cancel();
        };
        // A thread of its own, which nobody waits for: a runtime would wait for its blocking read.
        std::thread::Builder::new()
            .name("end-of-input".into())
            .spawn(read)?;
        Ok(())
    }

    /// One that no signal reaches.
    pub fn never() -> Self {
        Self {
            asked: CancellationToken::new(),
            halted: CancellationToken::new(),
        }
    }

    async fn follow(self, mut interrupt: Signal, mut terminate: Signal) {
        let mut signalled = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        signalled().await;
        self.asked.cancel();
        tokio::select! {
            () = signalled() => {}
            () = tokio::time::sleep(LAST_ANSWERS) => {}
        }
        self.halted.cancel();
    }

    /// Comes back when the run is asked to stop: no more is sent.
    pub async fn asked(&self) {
        self.asked.cancelled().await;
    }

    /// Whether the run was asked to stop.
    pub fn was_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Cancelled when what is in flight is not to be waited for any more.
    pub fn halted(&self) -> &CancellationToken {
        &self.halted
    }

    /// Does what comes before the load: the first signal ends it.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub async fn unless_asked<T>(&self, step: impl Future<Output = T>) -> Result<T, Interrupted> {
        tokio::select! {
            biased;
            () = self.asked() => Err(Interrupted),
            done = step => Ok(done),
        }
    }

    /// Does what comes after the load: it has a moment left when the run is halted.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub async fn unless_halted<T>(&self, step: impl Future<Output = T>) -> Result<T, Interrupted> {
        let over = async {
            self.halted.cancelled().await;
            tokio::time::sleep(LAST_STEPS).await;
        };
        tokio::select! {
            biased;
            done = step => Ok(done),
            () = over => Err(Interrupted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_step_that_hangs_ends_with_the_run() {
        let stop = Stop::never();
        assert_eq!(stop.unless_asked(async { 1 }).await, Ok(1));
        stop.asked.cancel();
        let hangs = std::future::pending::<()>();
        assert_eq!(stop.unless_asked(hangs).await, Err(Interrupted));
        assert_eq!(stop.unless_halted(async { 2 }).await, Ok(2));
        stop.halted.cancel();
        let brief = tokio::time::sleep(LAST_STEPS / 2);
        assert_eq!(stop.unless_halted(brief).await, Ok(()));
        let hangs = std::future::pending::<()>();
        assert_eq!(stop.unless_halted(hangs).await, Err(Interrupted));
    }
}
