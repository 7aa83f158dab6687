//! What Prometheus is told of hash-chained partitions.

use hash_chain::Counters;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntCounter};
use runtime::metrics::Metrics;

/// Registers what `counters` count.
///
/// # Errors
/// A name is registered already.
pub fn register(registry: &Metrics, counters: Counters) -> anyhow::Result<()> {
    registry.register(Shown {
        appends: IntCounter::new("chain_appends_total", "Entries written to chains")?,
        batches: IntCounter::new("chain_batches_total", "Writes that they shared")?,
        bytes: IntCounter::new("chain_written_bytes_total", "Bytes of these entries")?,
        syncs: IntCounter::new(
            "chain_syncs_total",
            "Times that a chain was brought to the disk",
        )?,
        sync_seconds: Counter::new("chain_sync_seconds_total", "Time spent on that, seconds")?,
        counters,
    })
}

/// Looked up when it is asked for.
struct Shown {
    appends: IntCounter,
    batches: IntCounter,
    bytes: IntCounter,
    syncs: IntCounter,
    sync_seconds: Counter,
    counters: Counters,
}

impl Collector for Shown {
    fn desc(&self) -> Vec<&Desc> {
        let whole = [&self.appends, &self.batches, &self.bytes, &self.syncs];
        let whole = whole.into_iter().flat_map(Collector::desc);
        whole.chain(self.sync_seconds.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let whole = [
            (&self.appends, self.counters.appends()),
            (&self.batches, self.counters.batches()),
            (&self.bytes, self.counters.bytes()),
            (&self.syncs, self.counters.syncs()),
        ];
        let mut families = Vec::new();
        for (shown, now) in whole {
            shown.inc_by(now.saturating_sub(shown.get()));
            families.extend(shown.collect());
        }
        let seconds = self.counters.sync_time().as_secs_f64();
        self.sync_seconds
            .inc_by((seconds - self.sync_seconds.get()).max(0.0));
        families.extend(self.sync_seconds.collect());
        families
    }
}
