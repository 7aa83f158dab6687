//! A producer for each kind of acks.

use std::sync::Arc;
use std::time::Duration;

use krafka::CloseOptions;
use krafka::producer::Producer;
use tokio::sync::Mutex;
use topics::Acks;

/// Made when first used. One whose identity Kafka no longer takes is made anew.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    none: Mutex<Option<Arc<Producer>>>,
    leader: Mutex<Option<Arc<Producer>>>,
    all: Mutex<Option<Arc<Producer>>>,
}

impl Producers {
    /// The one of these acks, where it has been made.
    pub(crate) fn of(&self, acks: Acks) -> &Mutex<Option<Arc<Producer>>> {
        match acks {
            Acks::None => &self.none,
            Acks::Leader => &self.leader,
            Acks::All => &self.all,
        }
    }

    /// Sends what waits, for at most `within`.
    pub(crate) async fn close(&self, within: Duration) {
        for acks in [Acks::None, Acks::Leader, Acks::All] {
            let producer = self.of(acks).lock().await.take();
            let Some(producer) = producer else { continue };
            let closed = producer
                .close_with(CloseOptions::new().timeout(within))
                .await;
            if let Err(error) = closed {
                tracing::warn!(%error, "records were waiting for Kafka at the end");
            }
        }
    }
}
