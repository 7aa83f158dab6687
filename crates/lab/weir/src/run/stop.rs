//! Ctrl-C and SIGTERM: what runs is stopped in order, what is finished is kept.

use std::future::Future;

use anyhow::{Result, bail};
use lab_host::signals::is_ignored;
use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whether the user wants the session to end; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(CancellationToken);

impl Stop {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on; for SIGHUP only where the caller has not had it ignored, as
    /// `nohup` does.
    pub(crate) async fn on_signals() -> Result<Self> {
        let stop = Self::default();
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        if !is_ignored(Signal::SIGHUP).await {
            kinds.push(SignalKind::hangup());
        }
        for kind in kinds {
            let mut signals = signal(kind)?;
            let token = stop.0.clone();
            // Lives as long as the process, like the signals, and cannot fail: nobody awaits it.
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    token.cancel();
                }
            });
        }
        Ok(stop)
    }

    /// True after the first signal.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// The future's outcome, or an error as soon as a stop is requested. The future is dropped then.
    pub(crate) async fn or<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.0.cancelled() => bail!("stopped by the user"),
            outcome = future => outcome,
        }
    }

    /// Asks for a stop, as a signal does.
    #[cfg(test)]
    pub(crate) fn request(&self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_ends_what_would_wait_for_ever() {
        let stop = Stop::default();
        assert_eq!(stop.or(async { Ok(1) }).await.unwrap(), 1);
        stop.request();
        let error = stop
            .or(std::future::pending::<Result<()>>())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("stopped by the user"));
    }
}
