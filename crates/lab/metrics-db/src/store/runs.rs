//! Runs: one cell of a session's matrix each.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_postgres::Row;

use super::performance::{performance_columns, performance_from};
use super::{Store, column};
use crate::Sampling;
use crate::error::{Error, Result};
use crate::rows::{Audit, Check, NewRun, Performance, Run, RunStatus};

macro_rules! run_columns {
    () => {
        "id, session_id, api_name, scenario, test_mode, payload_size, protocol, language, framework, \
         driver, run_label, trial, run_order, seed, phase_scale, status, started_at, measured_from, \
         completed_at, duration_seconds, error_message, sampling, valid, invalid_reasons, checks, \
         audit_acknowledged, audit_in_doubt, audit_stored, audit_passed, database_stats, scenario_stats"
    };
}
pub(super) use run_columns;

macro_rules! run_filter {
    () => {
        " WHERE ($1::text IS NULL OR api_name = $1) AND ($2::text IS NULL OR test_mode = $2) \
         AND ($3::text IS NULL OR payload_size = $3) AND ($4::text IS NULL OR session_id = $4) \
         AND ($5::text IS NULL OR status = $5)"
    };
}

/// Which runs; what is none does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// The target's name.
    pub api: Option<String>,
    /// `smoke`, `full`, `saturation` or `compare`.
    pub mode: Option<String>,
    /// `default`, `4k`, `8k`, `32k` or `64k`.
    pub payload: Option<String>,
    /// Id of a session.
    pub session: Option<String>,
    /// How far the run has come.
    pub status: Option<RunStatus>,
    /// At most so many, the newest.
    pub limit: Option<i64>,
}

/// A run and, where it was imported, its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunWithPerformance {
    /// The run.
    pub run: Run,
    /// Its figures over all phases.
    pub performance: Option<Performance>,
}

impl Store {
    /// Records the start of a run with status `running`; answers its id.
    ///
    /// # Errors
    /// Also where the run label is taken or the session unknown.
    pub async fn create_run(&self, run: &NewRun) -> Result<i64> {
        let rows = self
            .rows(
                "/* Store::create_run */
                 INSERT INTO test_runs (session_id, api_name, scenario, test_mode, payload_size, protocol,
                     language, framework, driver, run_label, trial, run_order, seed, phase_scale)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
                 RETURNING id",
                &[
                    &run.session_id,
                    &run.api_name,
                    &run.scenario,
                    &run.test_mode,
                    &run.payload_size,
                    &run.protocol,
                    &run.language,
                    &run.framework,
                    &run.driver,
                    &run.run_label,
                    &run.trial,
                    &run.run_order,
                    &run.seed,
                    &run.phase_scale,
                ],
            )
            .await?;
        rows.first()
            .map_or(Err(Error::NoSuchRun(0)), |row| column(row, "id"))
    }

    /// Tells `stats-sidecar` what to sample and when; `measured_from` of the run follows it.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn set_sampling(&self, run: i64, sampling: &Sampling) -> Result<()> {
        let document = to_json(sampling);
        let measured_from = sampling
            .measured_from_us
            .and_then(|us| OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1_000).ok());
        self.execute_on_run(
            run,
            "/* Store::set_sampling */ UPDATE test_runs SET sampling = $2, measured_from = $3 WHERE id = $1",
            &[&run, &document, &measured_from],
        )
        .await
    }

    /// Ends a run: `duration_seconds` of the measured phases, `error` where it did not complete.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn finish_run(
        &self,
        run: i64,
        status: RunStatus,
        duration_seconds: Option<f64>,
        error: Option<&str>,
    ) -> Result<()> {
        self.execute_on_run(
            run,
            "/* Store::finish_run */
             UPDATE test_runs
             SET status = $2, completed_at = now(), duration_seconds = coalesce($3, duration_seconds),
                 error_message = coalesce($4, error_message)
             WHERE id = $1",
            &[&run, &status.as_str(), &duration_seconds, &error],
        )
        .await
    }

    /// Ends all runs still marked `running` as aborted, for a lab that starts after a crash; answers their ids.
    ///
    /// # Errors
    /// Of the database.
    pub async fn abort_running_runs(&self, reason: &str) -> Result<Vec<i64>> {
        let rows = self
            .rows(
                "/* Store::abort_running_runs */
                 UPDATE test_runs SET status = 'aborted', completed_at = now(), error_message = $1
                 WHERE status = 'running' RETURNING id",
                &[&reason],
            )
            .await?;
        rows.iter().map(|row| column(row, "id")).collect()
    }

    /// Replaces the checks of a run.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn set_checks(&self, run: i64, checks: &[Check]) -> Result<()> {
        let document = to_json(&checks);
        self.execute_on_run(
            run,
            "/* Store::set_checks */ UPDATE test_runs SET checks = $2 WHERE id = $1",
            &[&run, &document],
        )
        .await
    }

    /// Says whether a run takes part in rankings, and if not, the ids of the checks that failed.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn set_validity(&self, run: i64, valid: bool, reasons: &[String]) -> Result<()> {
        self.execute_on_run(
            run,
            "/* Store::set_validity */
             UPDATE test_runs SET valid = $2, invalid_reasons = $3 WHERE id = $1",
            &[&run, &valid, &reasons],
        )
        .await
    }

    /// Records the audit's counts.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn set_audit(&self, run: i64, audit: &Audit) -> Result<()> {
        self.execute_on_run(
            run,
            "/* Store::set_audit */
             UPDATE test_runs
             SET audit_acknowledged = $2, audit_in_doubt = $3, audit_stored = $4, audit_passed = $5
             WHERE id = $1",
            &[
                &run,
                &audit.acknowledged,
                &audit.in_doubt,
                &audit.stored,
                &audit.passed,
            ],
        )
        .await
    }

    /// Records rows, WAL bytes and checkpoints of the application database over the run (a JSON object).
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn set_database_stats(&self, run: i64, stats: &Value) -> Result<()> {
        self.execute_on_run(
            run,
            "/* Store::set_database_stats */ UPDATE test_runs SET database_stats = $2 WHERE id = $1",
            &[&run, stats],
        )
        .await
    }

    /// Records figures that only the run's scenario has, a JSON object.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn set_scenario_stats(&self, run: i64, stats: &Value) -> Result<()> {
        self.execute_on_run(
            run,
            "/* Store::set_scenario_stats */ UPDATE test_runs SET scenario_stats = $2 WHERE id = $1",
            &[&run, stats],
        )
        .await
    }

    /// The run of this id.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`], and those of the database.
    pub async fn run(&self, id: i64) -> Result<Run> {
        let sql = concat!(
            "/* Store::run */ SELECT ",
            run_columns!(),
            " FROM test_runs WHERE id = $1"
        );
        self.rows(sql, &[&id])
            .await?
            .first()
            .map_or(Err(Error::NoSuchRun(id)), run_from)
    }

    /// The run whose events carry this run id.
    ///
    /// # Errors
    /// Of the database.
    pub async fn run_by_label(&self, label: &str) -> Result<Option<Run>> {
        let sql = concat!(
            "/* Store::run_by_label */ SELECT ",
            run_columns!(),
            " FROM test_runs WHERE run_label = $1"
        );
        self.rows(sql, &[&label])
            .await?
            .first()
            .map(run_from)
            .transpose()
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// Of the database.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        let sql = concat!(
            "/* Store::runs */ SELECT ",
            run_columns!(),
            " FROM test_runs",
            run_filter!(),
            " ORDER BY started_at DESC, id DESC LIMIT $6"
        );
        let rows = self.filtered(sql, filter).await?;
        rows.iter().map(run_from).collect()
    }

    /// Runs with their figures, newest first.
    ///
    /// # Errors
    /// Of the database.
    pub async fn runs_with_performance(
        &self,
        filter: &RunFilter,
    ) -> Result<Vec<RunWithPerformance>> {
        let sql = concat!(
            "/* Store::runs_with_performance */ SELECT test_run_id, ",
            performance_columns!(),
            ", ",
            run_columns!(),
            " FROM test_runs LEFT JOIN performance_metrics ON test_run_id = id",
            run_filter!(),
            " ORDER BY started_at DESC, id DESC LIMIT $6"
        );
        let rows = self.filtered(sql, filter).await?;
        rows.iter().map(run_with_performance_from).collect()
    }

    /// The newest completed run of each target, mode and payload, by target.
    ///
    /// # Errors
    /// Of the database.
    pub async fn latest_runs(&self, filter: &RunFilter) -> Result<Vec<RunWithPerformance>> {
        let sql = concat!(
            "/* Store::latest_runs */ SELECT \
             DISTINCT ON (test_mode, payload_size, api_name) test_run_id, ",
            performance_columns!(),
            ", ",
            run_columns!(),
            " FROM test_runs JOIN performance_metrics ON test_run_id = id",
            run_filter!(),
            " AND status = 'completed'",
            " ORDER BY test_mode, payload_size, api_name, started_at DESC, id DESC LIMIT $6"
        );
        let rows = self.filtered(sql, filter).await?;
        rows.iter().map(run_with_performance_from).collect()
    }

    async fn filtered(&self, sql: &'static str, filter: &RunFilter) -> Result<Vec<Row>> {
        let status = filter.status.map(RunStatus::as_str);
        self.rows(
            sql,
            &[
                &filter.api,
                &filter.mode,
                &filter.payload,
                &filter.session,
                &status,
                &filter.limit,
            ],
        )
        .await
    }
}

/// Plain structs with text keys always have a JSON form.
fn to_json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn run_with_performance_from(row: &Row) -> Result<RunWithPerformance> {
    let imported: Option<i64> = column(row, "test_run_id")?;
    let performance = imported.map(|_| performance_from(row)).transpose()?;
    Ok(RunWithPerformance {
        run: run_from(row)?,
        performance,
    })
}

pub(super) fn run_from(row: &Row) -> Result<Run> {
    let checks: Value = column(row, "checks")?;
    let checks: Vec<Check> =
        serde_json::from_value(checks).map_err(|error| Error::UnknownValue {
            column: "test_runs.checks",
            value: error.to_string(),
        })?;
    let audited: Option<bool> = column(row, "audit_passed")?;
    let count = |name| column::<Option<i64>>(row, name).map(Option::unwrap_or_default);
    let audit = match audited {
        None => None,
        Some(passed) => Some(Audit {
            acknowledged: count("audit_acknowledged")?,
            in_doubt: count("audit_in_doubt")?,
            stored: count("audit_stored")?,
            passed,
        }),
    };
    Ok(Run {
        id: column(row, "id")?,
        session_id: column(row, "session_id")?,
        api_name: column(row, "api_name")?,
        scenario: column(row, "scenario")?,
        test_mode: column(row, "test_mode")?,
        payload_size: column(row, "payload_size")?,
        protocol: column(row, "protocol")?,
        language: column(row, "language")?,
        framework: column(row, "framework")?,
        driver: column(row, "driver")?,
        run_label: column(row, "run_label")?,
        trial: column(row, "trial")?,
        run_order: column(row, "run_order")?,
        seed: column(row, "seed")?,
        phase_scale: column(row, "phase_scale")?,
        status: RunStatus::parse(column(row, "status")?)?,
        started_at: column(row, "started_at")?,
        measured_from: column(row, "measured_from")?,
        completed_at: column(row, "completed_at")?,
        duration_seconds: column(row, "duration_seconds")?,
        error_message: column(row, "error_message")?,
        sampling: column(row, "sampling")?,
        valid: column(row, "valid")?,
        invalid_reasons: column(row, "invalid_reasons")?,
        checks,
        audit,
        database_stats: column(row, "database_stats")?,
        scenario_stats: column(row, "scenario_stats")?,
    })
}
