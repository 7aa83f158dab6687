//! Counts the streams that are open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;
use tokio::sync::Notify;

/// Counts open streams. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions(Arc<(AtomicUsize, Notify)>);

impl Subscriptions {
    /// Counts one more, here and in `gauge`.
    pub(crate) fn open(&self, gauge: IntGauge) -> Open {
        self.0.0.fetch_add(1, Ordering::AcqRel);
        gauge.inc();
        Open {
            subscriptions: self.clone(),
            gauge,
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.0.load(Ordering::Acquire)
    }

    /// Whether nobody listens.
    pub(crate) fn none(&self) -> bool {
        self.count() == 0
    }

    /// Waits until no stream is open. One waiter.
    pub(crate) async fn all_closed(&self) {
        loop {
            let closed = self.0.1.notified();
            if self.none() {
                return;
            }
            closed.await;
        }
    }
}

/// An open stream; dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Open {
    subscriptions: Subscriptions,
    gauge: IntGauge,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
        let (open, closed) = &*self.subscriptions.0;
        if open.fetch_sub(1, Ordering::AcqRel) == 1 {
            closed.notify_one();
        }
    }
}
