//! Counters of ingestion, served as Prometheus text and logged at shutdown.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::{Counter, Gauge, IntCounter, IntCounterVec, IntGauge, Opts};
use runtime::metrics::Metrics;

use crate::error::IngestError;

/// The counters of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct IngestMetrics {
    events: IntCounter,
    batches: IntCounter,
    batch_events_mean: Gauge,
    led: IntCounter,
    queue_depth: IntGauge,
    refused: IntCounterVec,
    database_seconds: Counter,
    persisted: Arc<AtomicU64>,
    persisted_log_every: u64,
}

impl IngestMetrics {
    /// Registers the counters. `persisted_log_every`: a log line each time the number of persisted events
    /// passes a multiple of it; 0 for none.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Metrics, persisted_log_every: u64) -> anyhow::Result<Self> {
        let metrics = Self {
            events: IntCounter::new("ingest_events_total", "Events committed and acknowledged")?,
            batches: IntCounter::new("ingest_batches_total", "Upserts committed")?,
            batch_events_mean: Gauge::new(
                "ingest_batch_events_mean",
                "Events per committed upsert since the start, mean",
            )?,
            led: IntCounter::new(
                "ingest_led_total",
                "Events that their own request wrote at once, since nobody else wrote; others wait for a writer",
            )?,
            queue_depth: IntGauge::new(
                "ingest_queue_depth",
                "Events that wait for a writer, those of the batch under way not counted",
            )?,
            refused: IntCounterVec::new(
                Opts::new(
                    "ingest_refused_total",
                    "Events answered with an error, by reason",
                ),
                &["reason"],
            )?,
            database_seconds: Counter::new(
                "ingest_database_seconds_total",
                "Time spent waiting for the database, all writers together, seconds",
            )?,
            persisted: Arc::default(),
            persisted_log_every,
        };
        for reason in IngestError::REASONS {
            metrics.refused.with_label_values(&[reason]).inc_by(0);
        }
        registry.register(metrics.events.clone())?;
        registry.register(metrics.batches.clone())?;
        registry.register(metrics.batch_events_mean.clone())?;
        registry.register(metrics.led.clone())?;
        registry.register(metrics.queue_depth.clone())?;
        registry.register(metrics.refused.clone())?;
        registry.register(metrics.database_seconds.clone())?;
        Ok(metrics)
    }

    /// Counts an event that was answered with `error`.
    pub fn refused(&self, error: &IngestError) {
        self.refused.with_label_values(&[error.reason()]).inc();
    }

    /// Counts events that begin to wait for a writer.
    pub(crate) fn enqueued(&self, events: usize) {
        self.queue_depth.add(count(events));
    }

    /// Counts events that no longer wait for one.
    pub(crate) fn dequeued(&self, events: usize) {
        self.queue_depth.sub(count(events));
    }

    /// Counts an event that its request writes itself.
    pub(crate) fn led(&self) {
        self.led.inc();
    }

    pub(crate) fn committed(&self, events: u64, database: Duration) {
        self.database_seconds.inc_by(database.as_secs_f64());
        self.batches.inc();
        self.events.inc_by(events);
        self.batch_events_mean
            .set(self.events.get() as f64 / self.batches.get() as f64);
        // A count of its own, since `IntCounter` has no fetch-and-add: each multiple is logged once.
        let before = self.persisted.fetch_add(events, Ordering::Relaxed);
        self.log_persisted(before, before + events);
    }

    fn log_persisted(&self, before: u64, after: u64) {
        let every = self.persisted_log_every;
        if every == 0 {
            return;
        }
        for multiple in (before / every + 1)..=(after / every) {
            tracing::info!("Persisted events count: {}", multiple * every);
        }
    }

    /// One line with every figure, for the end of the process.
    pub fn log_totals(&self) {
        tracing::info!(
            events = self.events.get(),
            batches = self.batches.get(),
            batch_events_mean = self.batch_events_mean.get(),
            queue_depth = self.queue_depth.get(),
            refused = IngestError::REASONS
                .iter()
                .map(|reason| self.refused.with_label_values(&[reason]).get())
                .sum::<u64>(),
            database_seconds = self.database_seconds.get(),
            "ingestion totals"
        );
    }
}

fn count(events: usize) -> i64 {
    i64::try_from(events).unwrap_or(i64::MAX)
}
