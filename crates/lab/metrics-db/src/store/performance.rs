//! Figures of a run and of its phases.

use tokio_postgres::Row;

use super::{Store, column, statement_error};
use crate::error::Result;
use crate::rows::{Latency, Performance, Phase};

macro_rules! performance_columns {
    () => {
        "total_requests, successful_requests, failed_requests, dropped_iterations, intended_per_sec, \
         throughput_per_sec, error_rate, latency_avg_ms, latency_min_ms, latency_max_ms, \
         latency_p50_ms, latency_p90_ms, latency_p95_ms, latency_p99_ms, latency_p999_ms, \
         bytes_sent, bytes_received, histogram"
    };
}
pub(super) use performance_columns;

impl Store {
    /// Writes the figures of a run, replacing those that were there.
    ///
    /// # Errors
    /// Also where there is no such run.
    pub async fn put_performance(&self, run: i64, figures: &Performance) -> Result<()> {
        self.execute(
            include_str!("put_performance.sql"),
            &[
                &run,
                &figures.total_requests,
                &figures.successful_requests,
                &figures.failed_requests,
                &figures.dropped_iterations,
                &figures.intended_per_sec,
                &figures.throughput_per_sec,
                &figures.error_rate,
                &figures.latency.avg,
                &figures.latency.min,
                &figures.latency.max,
                &figures.latency.p50,
                &figures.latency.p90,
                &figures.latency.p95,
                &figures.latency.p99,
                &figures.latency.p999,
                &figures.bytes_sent,
                &figures.bytes_received,
                &figures.histogram,
            ],
        )
        .await
        .map(drop)
    }

    /// The figures of a run; none before the import.
    ///
    /// # Errors
    /// Of the database.
    pub async fn performance(&self, run: i64) -> Result<Option<Performance>> {
        let sql = concat!(
            "/* Store::performance */ SELECT ",
            performance_columns!(),
            " FROM performance_metrics WHERE test_run_id = $1"
        );
        let rows = self.rows(sql, &[&run]).await?;
        rows.first().map(performance_from).transpose()
    }

    /// Writes the phases of a run in place of all that were there.
    ///
    /// # Errors
    /// Also where there is no such run or a phase number comes twice; the phases are then as before.
    pub async fn put_phases(&self, run: i64, phases: &[Phase]) -> Result<()> {
        let delete = "/* Store::put_phases */ DELETE FROM test_phases WHERE test_run_id = $1";
        let insert = include_str!("put_phases.sql");
        let mut connection = self.pool.get().await?;
        let transaction = connection
            .transaction()
            .await
            .map_err(statement_error(delete))?;
        transaction
            .execute(delete, &[&run])
            .await
            .map_err(statement_error(delete))?;
        let statement = transaction
            .prepare_cached(insert)
            .await
            .map_err(statement_error(insert))?;
        macro_rules! each {
            ($($field:ident).+) => {
                &phases.iter().map(|phase| phase.$($field).+.clone()).collect::<Vec<_>>()
            };
        }
        transaction
            .execute(
                &statement,
                &[
                    &run,
                    each!(phase_number),
                    each!(phase_name),
                    each!(target_vus),
                    each!(started_at),
                    each!(duration_seconds),
                    each!(total_requests),
                    each!(successful_requests),
                    each!(failed_requests),
                    each!(dropped_iterations),
                    each!(throughput_per_sec),
                    each!(error_rate),
                    each!(latency.avg),
                    each!(latency.min),
                    each!(latency.max),
                    each!(latency.p50),
                    each!(latency.p90),
                    each!(latency.p95),
                    each!(latency.p99),
                    each!(latency.p999),
                    each!(bytes_sent),
                    each!(bytes_received),
                    each!(target_cpu_seconds),
                    each!(database_cpu_seconds),
                    each!(generator_cpu_seconds),
                    each!(target_memory_avg_mb),
                    each!(target_memory_peak_mb),
                    each!(target_cpu_avg_percent),
                    each!(target_cpu_peak_percent),
                    each!(host_steal_seconds),
                ],
            )
            .await
            .map_err(statement_error(insert))?;
        transaction.commit().await.map_err(statement_error(insert))
    }

    /// The phases of a run in order.
    ///
    /// # Errors
    /// Of the database.
    pub async fn phases(&self, run: i64) -> Result<Vec<Phase>> {
        self.rows(include_str!("phases.sql"), &[&run])
            .await?
            .iter()
            .map(phase_from)
            .collect()
    }
}

fn latency_from(row: &Row) -> Result<Latency> {
    Ok(Latency {
        avg: column(row, "latency_avg_ms")?,
        min: column(row, "latency_min_ms")?,
        max: column(row, "latency_max_ms")?,
        p50: column(row, "latency_p50_ms")?,
        p90: column(row, "latency_p90_ms")?,
        p95: column(row, "latency_p95_ms")?,
        p99: column(row, "latency_p99_ms")?,
        p999: column(row, "latency_p999_ms")?,
    })
}

pub(super) fn performance_from(row: &Row) -> Result<Performance> {
    Ok(Performance {
        total_requests: column(row, "total_requests")?,
        successful_requests: column(row, "successful_requests")?,
        failed_requests: column(row, "failed_requests")?,
        dropped_iterations: column(row, "dropped_iterations")?,
        intended_per_sec: column(row, "intended_per_sec")?,
        throughput_per_sec: column(row, "throughput_per_sec")?,
        error_rate: column(row, "error_rate")?,
        latency: latency_from(row)?,
        bytes_sent: column(row, "bytes_sent")?,
        bytes_received: column(row, "bytes_received")?,
        histogram: column(row, "histogram")?,
    })
}

fn phase_from(row: &Row) -> Result<Phase> {
    Ok(Phase {
        phase_number: column(row, "phase_number")?,
        phase_name: column(row, "phase_name")?,
        target_vus: column(row, "target_vus")?,
        started_at: column(row, "started_at")?,
        duration_seconds: column(row, "duration_seconds")?,
        total_requests: column(row, "total_requests")?,
        successful_requests: column(row, "successful_requests")?,
        failed_requests: column(row, "failed_requests")?,
        dropped_iterations: column(row, "dropped_iterations")?,
        throughput_per_sec: column(row, "throughput_per_sec")?,
        error_rate: column(row, "error_rate")?,
        latency: latency_from(row)?,
        bytes_sent: column(row, "bytes_sent")?,
        bytes_received: column(row, "bytes_received")?,
        target_cpu_seconds: column(row, "target_cpu_seconds")?,
        database_cpu_seconds: column(row, "database_cpu_seconds")?,
        generator_cpu_seconds: column(row, "generator_cpu_seconds")?,
        target_memory_avg_mb: column(row, "target_memory_avg_mb")?,
        target_memory_peak_mb: column(row, "target_memory_peak_mb")?,
        target_cpu_avg_percent: column(row, "target_cpu_avg_percent")?,
        target_cpu_peak_percent: column(row, "target_cpu_peak_percent")?,
        host_steal_seconds: column(row, "host_steal_seconds")?,
    })
}
