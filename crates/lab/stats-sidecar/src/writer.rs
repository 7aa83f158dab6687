//! Takes samples off a sampler's hands and stores them, so that a slow database delays no sample.

use std::time::Duration;

use metrics_db::{Error, ResourceSample, Store};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Batches that wait for the database: about a quarter of an hour at one a second. Beyond that the newest is
/// dropped with a warning, and the phases' figures are interpolated over the gap.
const WAITING_BATCHES: usize = 1_000;

/// Between two attempts to store.
const RETRY_AFTER: Duration = Duration::from_millis(500);

/// Attempts once the run has ended.
const LAST_ATTEMPTS: u32 = 10;

/// Stores the samples of one run in order.
#[derive(Debug)]
pub struct Writer {
    run: i64,
    batches: mpsc::Sender<Vec<ResourceSample>>,
    task: JoinHandle<()>,
}

impl Writer {
    /// Starts the writer of one run.
    pub fn start(store: Store, run: i64) -> Self {
        let (batches, queue) = mpsc::channel(WAITING_BATCHES);
        let task = tokio::spawn(write(store, run, queue));
        Self { run, batches, task }
    }

    /// Hands over samples without waiting.
    pub fn put(&self, samples: Vec<ResourceSample>) {
        if samples.is_empty() {
            return;
        }
        match self.batches.try_send(samples) {
            Ok(()) => {}
            Err(TrySendError::Full(lost)) => {
                tracing::warn!(
                    run.id = self.run,
                    samples = lost.len(),
                    "metrics database too slow: samples dropped"
                );
            }
            // The writer has said why it gave up.
            Err(TrySendError::Closed(_)) => {}
        }
    }

    /// Waits until everything handed over is stored or given up.
    pub async fn finish(self) {
        drop(self.batches);
        if let Err(error) = self.task.await {
            tracing::error!(run.id = self.run, %error, "the writer of samples broke");
        }
    }
}

async fn write(store: Store, run: i64, mut queue: mpsc::Receiver<Vec<ResourceSample>>) {
    let mut batches = Vec::new();
    while queue.recv_many(&mut batches, WAITING_BATCHES).await > 0 {
        let samples: Vec<_> = batches.drain(..).flatten().collect();
        let mut last_attempts = 0;
        let mut failed = false;
        while let Err(error) = store.insert_samples(run, &samples).await {
            last_attempts += u32::from(queue.is_closed());
            if is_final(&error) || last_attempts >= LAST_ATTEMPTS {
                tracing::error!(run.id = run, samples = samples.len(), %error, "samples given up");
                return;
            }
            if !failed {
                tracing::warn!(run.id = run, %error, "samples not stored yet; trying on");
            }
            failed = true;
            sleep(RETRY_AFTER).await;
        }
        if failed {
            tracing::info!(run.id = run, "samples are stored again");
        }
    }
}

/// The server has refused the data itself: the run was deleted, or the schema is another.
fn is_final(error: &Error) -> bool {
    let Error::Statement { source, .. } = error else {
        return false;
    };
    // Class 23: integrity constraint violation; 42: undefined table or column; 22: data exception.
    source.code().is_some_and(|code| {
        ["22", "23", "42"]
            .iter()
            .any(|class| code.code().starts_with(class))
    })
}
