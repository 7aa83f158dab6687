//! Counters of balance, served as Prometheus text and logged at shutdown.

use std::time::Duration;

use prometheus::{Counter, Gauge, IntCounter, IntCounterVec, IntGauge, Opts};
use runtime::metrics::Metrics;

use crate::error::BalanceError;

/// The counters of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct BalanceMetrics {
    requests: IntCounter,
    accounts: IntCounter,
    reads: IntCounter,
    read_requests_mean: Gauge,
    queue_depth: IntGauge,
    refused: IntCounterVec,
    database_seconds: Counter,
    replica_lag_seconds: Gauge,
}

impl BalanceMetrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Metrics) -> anyhow::Result<Self> {
        let metrics = Self {
            requests: IntCounter::new(
                "balance_requests_total",
                "Requests that a database read answered, also where it found no account",
            )?,
            accounts: IntCounter::new(
                "balance_accounts_total",
                "Accounts that those requests asked for",
            )?,
            reads: IntCounter::new("balance_reads_total", "Database reads that succeeded")?,
            read_requests_mean: Gauge::new(
                "balance_read_requests_mean",
                "Requests that shared one read since the start, mean",
            )?,
            queue_depth: IntGauge::new(
                "balance_queue_depth",
                "Accounts that wait for a reader, those of the reads under way not counted",
            )?,
            refused: IntCounterVec::new(
                Opts::new(
                    "balance_refused_total",
                    "Requests answered with an error, by reason",
                ),
                &["reason"],
            )?,
            database_seconds: Counter::new(
                "balance_database_seconds_total",
                "Time spent waiting for the database, all readers together, seconds",
            )?,
            replica_lag_seconds: Gauge::new(
                "balance_replica_lag_seconds",
                "How far the replica is behind its primary, at most; 0 at a primary and without MAX_REPLICA_LAG",
            )?,
        };
        for reason in BalanceError::REASONS {
            metrics.refused.with_label_values(&[reason]).inc_by(0);
        }
        registry.register(metrics.requests.clone())?;
        registry.register(metrics.accounts.clone())?;
        registry.register(metrics.reads.clone())?;
        registry.register(metrics.read_requests_mean.clone())?;
        registry.register(metrics.queue_depth.clone())?;
        registry.register(metrics.refused.clone())?;
        registry.register(metrics.database_seconds.clone())?;
        registry.register(metrics.replica_lag_seconds.clone())?;
        Ok(metrics)
    }

    pub(crate) fn refused(&self, error: &BalanceError) {
        self.refused.with_label_values(&[error.reason()]).inc();
    }

    pub(crate) fn replica_lag(&self, lag: Duration) {
        self.replica_lag_seconds.set(lag.as_secs_f64());
    }

    pub(crate) fn waiting(&self, accounts: usize) {
        self.queue_depth
            .set(i64::try_from(accounts).unwrap_or(i64::MAX));
    }

    pub(crate) fn read(&self, requests: usize, accounts: usize, database: Duration) {
        self.database_seconds.inc_by(database.as_secs_f64());
        self.reads.inc();
        self.requests.inc_by(requests as u64);
        self.accounts.inc_by(accounts as u64);
        self.read_requests_mean
            .set(self.requests.get() as f64 / self.reads.get() as f64);
    }

    /// One line with every figure, for the end of the process.
    pub(crate) fn log_totals(&self) {
        tracing::info!(
            requests = self.requests.get(),
            accounts = self.accounts.get(),
            reads = self.reads.get(),
            read_requests_mean = self.read_requests_mean.get(),
            refused = BalanceError::REASONS
                .iter()
                .map(|reason| self.refused.with_label_values(&[reason]).get())
                .sum::<u64>(),
            database_seconds = self.database_seconds.get(),
            "balance totals"
        );
    }
}
