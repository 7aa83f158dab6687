//! The wish to end, as signals say it.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM. The first ends the load, and the last answers are awaited; the second ends that too.
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Listens.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn new() -> anyhow::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            interrupt,
            terminate,
        })
    }

    /// Comes back when the run is asked to end.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
