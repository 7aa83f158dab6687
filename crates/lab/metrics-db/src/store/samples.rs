//! Resource samples, and what `stats-sidecar` polls to know whom to sample.

use std::time::Duration;

use futures_util::pin_mut;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::{Store, column, statement_error};
use crate::Sampling;
use crate::error::Result;
use crate::rows::{ResourceSample, Role};

/// Between two looks for a boundary.
const BOUNDARY_POLL: Duration = Duration::from_millis(50);

/// A run that is on, with what to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningRun {
    /// Number of the run.
    pub id: i64,
    /// The target's name.
    pub api_name: String,
    /// `smoke`, `full`, ...
    pub test_mode: String,
    /// When the cell began.
    pub started_at: OffsetDateTime,
    /// None while `weir` has not set it; an error text where it cannot be read.
    pub sampling: std::result::Result<Option<Sampling>, String>,
}

impl Store {
    /// All runs with status `running`, oldest first.
    ///
    /// # Errors
    /// Of the database.
    pub async fn running_runs(&self) -> Result<Vec<RunningRun>> {
        let rows = self
            .rows(
                "/* Store::running_runs */
                 SELECT id, api_name, test_mode, started_at, sampling
                 FROM test_runs WHERE status = 'running' ORDER BY id",
                &[],
            )
            .await?;
        rows.iter().map(running_run_from).collect()
    }

    /// Appends samples of a run in one COPY.
    ///
    /// # Errors
    /// Also where there is no such run (any more); none of the samples is then stored.
    pub async fn insert_samples(&self, run: i64, samples: &[ResourceSample]) -> Result<()> {
        if samples.is_empty() {
            return Ok(());
        }
        let sql = "/* Store::insert_samples */
            COPY resource_metrics (test_run_id, role, sampled_at, elapsed_seconds, boundary, cpu_seconds,
                cpu_percent, steal_seconds, throttled_seconds, memory_used_mb, memory_limit_mb,
                memory_percent, network_rx_bytes, network_tx_bytes)
            FROM STDIN (FORMAT binary)";
        const TYPES: [Type; 14] = [
            Type::INT8,
            Type::TEXT,
            Type::TIMESTAMPTZ,
            Type::FLOAT8,
            Type::INT4,
            Type::FLOAT8,
            Type::FLOAT8,
            Type::FLOAT8,
            Type::FLOAT8,
            Type::FLOAT8,
            Type::FLOAT8,
            Type::FLOAT8,
            Type::INT8,
            Type::INT8,
        ];
        let connection = self.pool.get().await?;
        let sink = connection
            .copy_in(sql)
            .await
            .map_err(statement_error(sql))?;
        let writer = BinaryCopyInWriter::new(sink, &TYPES);
        pin_mut!(writer);
        for sample in samples {
            writer
                .as_mut()
                .write(&[
                    &run,
                    &sample.role.as_str(),
                    &sample.sampled_at,
                    &sample.elapsed_seconds,
                    &sample.boundary,
                    &sample.cpu_seconds,
                    &sample.cpu_percent,
                    &sample.steal_seconds,
                    &sample.throttled_seconds,
                    &sample.memory_used_mb,
                    &sample.memory_limit_mb,
                    &sample.memory_percent,
                    &sample.network_rx_bytes,
                    &sample.network_tx_bytes,
                ])
                .await
                .map_err(statement_error(sql))?;
        }
        writer
            .finish()
            .await
            .map_err(statement_error(sql))
            .map(drop)
    }

    /// All samples of a run by time, then role.
    ///
    /// # Errors
    /// Of the database.
    pub async fn samples(&self, run: i64) -> Result<Vec<ResourceSample>> {
        let rows = self
            .rows(
                "/* Store::samples */
                 SELECT role, sampled_at, elapsed_seconds, boundary, cpu_seconds, cpu_percent, steal_seconds,
                     throttled_seconds, memory_used_mb, memory_limit_mb, memory_percent, network_rx_bytes,
                     network_tx_bytes
                 FROM resource_metrics WHERE test_run_id = $1 ORDER BY sampled_at, id",
                &[&run],
            )
            .await?;
        rows.iter().map(sample_from).collect()
    }

    /// Waits until boundary `k` of a run is sampled, so that an import finds the end of the last phase; answers
    /// false where it is not within `limit` (the sidecar is away, or came too late for it).
    ///
    /// # Errors
    /// Of the database.
    pub async fn await_boundary(&self, run: i64, k: i32, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let rows = self
                .rows(
                    "/* Store::await_boundary */
                     SELECT 1 FROM resource_metrics WHERE test_run_id = $1 AND boundary = $2 LIMIT 1",
                    &[&run, &k],
                )
                .await?;
            if !rows.is_empty() {
                return Ok(true);
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            sleep(BOUNDARY_POLL).await;
        }
    }

    /// Seconds since a process that calls itself `application_name` last asked the database something;
    /// none where no such process is connected.
    ///
    /// # Errors
    /// Of the database.
    pub async fn idle_seconds_of(&self, application_name: &str) -> Result<Option<f64>> {
        let rows = self
            .rows(
                "/* Store::idle_seconds_of */
                 SELECT min(extract(epoch FROM clock_timestamp() - state_change))::double precision AS idle
                 FROM pg_stat_activity
                 WHERE application_name = $1 AND datname = current_database()",
                &[&application_name],
            )
            .await?;
        rows.first().map_or(Ok(None), |row| column(row, "idle"))
    }
}

fn running_run_from(row: &Row) -> Result<RunningRun> {
    let document: Option<serde_json::Value> = column(row, "sampling")?;
    let sampling = document
        .map(|document| serde_json::from_value(document).map_err(|error| error.to_string()))
        .transpose();
    Ok(RunningRun {
        id: column(row, "id")?,
        api_name: column(row, "api_name")?,
        test_mode: column(row, "test_mode")?,
        started_at: column(row, "started_at")?,
        sampling,
    })
}

fn sample_from(row: &Row) -> Result<ResourceSample> {
    Ok(ResourceSample {
        role: Role::parse(column(row, "role")?)?,
        sampled_at: column(row, "sampled_at")?,
        elapsed_seconds: column(row, "elapsed_seconds")?,
        boundary: column(row, "boundary")?,
        cpu_seconds: column(row, "cpu_seconds")?,
        cpu_percent: column(row, "cpu_percent")?,
        steal_seconds: column(row, "steal_seconds")?,
        throttled_seconds: column(row, "throttled_seconds")?,
        memory_used_mb: column(row, "memory_used_mb")?,
        memory_limit_mb: column(row, "memory_limit_mb")?,
        memory_percent: column(row, "memory_percent")?,
        network_rx_bytes: column(row, "network_rx_bytes")?,
        network_tx_bytes: column(row, "network_tx_bytes")?,
    })
}
