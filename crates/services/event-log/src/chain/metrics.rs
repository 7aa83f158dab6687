//! Counters of the chain.

use std::io;
use std::time::Instant;

use prometheus::{Counter, IntCounter};
use runtime::metrics::Metrics;

/// What the chain counts. Clones count together.
#[derive(Clone, Debug)]
pub struct ChainMetrics {
    appends: IntCounter,
    batches: IntCounter,
    bytes: IntCounter,
    syncs: IntCounter,
    sync_seconds: Counter,
}

impl Default for ChainMetrics {
    /// Counters that nobody sees.
    fn default() -> Self {
        let counter = |name, help| {
            IntCounter::new(name, help).expect("the names are constants that Prometheus takes")
        };
        Self {
            appends: counter("chain_appends_total", "Entries written to chains"),
            batches: counter("chain_batches_total", "Writes that they shared"),
            bytes: counter("chain_written_bytes_total", "Bytes of these entries"),
            syncs: counter(
                "chain_syncs_total",
                "Times that a chain was brought to the disk",
            ),
            sync_seconds: Counter::new("chain_sync_seconds_total", "Time spent on that, seconds")
                .expect("the name is a constant that Prometheus takes"),
        }
    }
}

impl ChainMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Metrics) -> anyhow::Result<Self> {
        let metrics = Self::default();
        registry.register(metrics.appends.clone())?;
        registry.register(metrics.batches.clone())?;
        registry.register(metrics.bytes.clone())?;
        registry.register(metrics.syncs.clone())?;
        registry.register(metrics.sync_seconds.clone())?;
        Ok(metrics)
    }

    pub(super) fn wrote(&self, entries: u64, bytes: u64) {
        self.appends.inc_by(entries);
        self.batches.inc();
        self.bytes.inc_by(bytes);
    }

    pub(super) fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let begun = Instant::now();
        let synced = sync();
        self.syncs.inc();
        self.sync_seconds.inc_by(begun.elapsed().as_secs_f64());
        synced
    }
}
