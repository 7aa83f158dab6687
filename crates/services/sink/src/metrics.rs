//! Counters and lag, served as Prometheus text.

use prometheus::{IntCounter, IntGauge};
use runtime::metrics::Metrics;

/// The counters of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct SinkMetrics {
    /// Events merged.
    pub events: IntCounter,
    /// Transactions that merged.
    pub batches: IntCounter,
    /// Records that went to the topic of dead letters.
    pub dead_letters: IntCounter,
    /// Transactions that failed and were tried again.
    pub retries: IntCounter,
    /// Batches that another sink had merged already.
    pub fenced: IntCounter,
    /// Records behind the end, all partitions of this sink together.
    pub lag: IntGauge,
    /// Partitions of this sink.
    pub partitions: IntGauge,
}

impl SinkMetrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Metrics) -> anyhow::Result<Self> {
        let metrics = Self {
            events: IntCounter::new("sink_events_total", "Events merged")?,
            batches: IntCounter::new("sink_batches_total", "Transactions that merged events")?,
            dead_letters: IntCounter::new(
                "sink_dead_letters_total",
                "Records that went to the topic of dead letters",
            )?,
            retries: IntCounter::new(
                "sink_retries_total",
                "Transactions that failed and were tried again",
            )?,
            fenced: IntCounter::new(
                "sink_fenced_total",
                "Batches that were merged already, by another sink or before a lost answer",
            )?,
            lag: IntGauge::new(
                "sink_lag_records",
                "Records behind the end of the partitions that this sink reads",
            )?,
            partitions: IntGauge::new("sink_partitions", "Partitions that this sink reads")?,
        };
        for counter in [
            &metrics.events,
            &metrics.batches,
            &metrics.dead_letters,
            &metrics.retries,
            &metrics.fenced,
        ] {
            registry.register(counter.clone())?;
        }
        registry.register(metrics.lag.clone())?;
        registry.register(metrics.partitions.clone())?;
        Ok(metrics)
    }
}
