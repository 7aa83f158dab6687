//! Statistics and clean-up.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use tokio_postgres::Row;

use super::runs::{run_columns, run_from};
use super::{Store, column, statement_error};
use crate::error::Result;
use crate::rows::Run;

/// What the metrics database holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows of `test_sessions`.
    pub sessions: i64,
    /// Rows of `test_runs`.
    pub runs: i64,
    /// Rows of `test_phases`.
    pub phases: i64,
    /// Rows of `resource_metrics`.
    pub samples: i64,
    /// Size of the database on disk, bytes.
    pub database_bytes: i64,
    /// One entry a target, by name.
    pub apis: Vec<ApiSummary>,
}

/// What the metrics database holds of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApiSummary {
    /// The target's name.
    pub api_name: String,
    /// All runs.
    pub runs: i64,
    /// Those that were measured to their end.
    pub completed: i64,
    /// Those that failed.
    pub failed: i64,
    /// Those that the user interrupted.
    pub aborted: i64,
    /// Those judged invalid.
    pub invalid: i64,
    /// Start of the first one.
    #[serde(with = "rfc3339")]
    pub first_run: OffsetDateTime,
    /// Start of the newest one.
    #[serde(with = "rfc3339")]
    pub last_run: OffsetDateTime,
}

impl Store {
    /// Counts of what is there.
    ///
    /// # Errors
    /// Of the database.
    pub async fn summary(&self) -> Result<Summary> {
        let totals = self
            .rows(
                "/* Store::summary */
                 SELECT (SELECT count(*) FROM test_sessions) AS sessions,
                     (SELECT count(*) FROM test_runs) AS runs,
                     (SELECT count(*) FROM test_phases) AS phases,
                     (SELECT count(*) FROM resource_metrics) AS samples,
                     pg_database_size(current_database()) AS database_bytes",
                &[],
            )
            .await?;
        let apis = self
            .rows(
                "/* Store::summary */
                 SELECT api_name, count(*) AS runs,
                     count(*) FILTER (WHERE status = 'completed') AS completed,
                     count(*) FILTER (WHERE status = 'failed') AS failed,
                     count(*) FILTER (WHERE status = 'aborted') AS aborted,
                     count(*) FILTER (WHERE valid = false) AS invalid,
                     min(started_at) AS first_run, max(started_at) AS last_run
                 FROM test_runs GROUP BY api_name ORDER BY api_name",
                &[],
            )
            .await?;
        let mut summary = match totals.first() {
            Some(row) => Summary {
                sessions: column(row, "sessions")?,
                runs: column(row, "runs")?,
                phases: column(row, "phases")?,
                samples: column(row, "samples")?,
                database_bytes: column(row, "database_bytes")?,
                apis: Vec::new(),
            },
            None => Summary::default(),
        };
        summary.apis = apis.iter().map(api_summary_from).collect::<Result<_>>()?;
        Ok(summary)
    }

    /// Runs that a clean-up would delete: begun more than `days` days ago, and not among the newest
    /// `keep` of their target. Where only one is given, only that one counts; with neither there is none.
    /// A run that is on is never among them. Oldest first.
    ///
    /// # Errors
    /// Of the database.
    pub async fn cleanup_candidates(
        &self,
        days: Option<i32>,
        keep: Option<i64>,
    ) -> Result<Vec<Run>> {
        let sql = concat!(
            "/* Store::cleanup_candidates */ SELECT ",
            run_columns!(),
            " FROM (SELECT test_runs.*, \
                 row_number() OVER (PARTITION BY api_name ORDER BY started_at DESC, id DESC) AS age_rank \
                 FROM test_runs) AS ranked \
             WHERE status <> 'running' AND ($1::integer IS NOT NULL OR $2::bigint IS NOT NULL) \
             AND ($1 IS NULL OR started_at < now() - make_interval(days => $1)) \
             AND ($2 IS NULL OR age_rank > $2) \
             ORDER BY started_at, id"
        );
        self.rows(sql, &[&days, &keep])
            .await?
            .iter()
            .map(run_from)
            .collect()
    }

    /// Deletes runs with all that hangs on them, and ended sessions that are left without a run.
    /// Answers how many runs are gone.
    ///
    /// # Errors
    /// Of the database; nothing is then deleted.
    pub async fn delete_runs(&self, ids: &[i64]) -> Result<u64> {
        let runs = "/* Store::delete_runs */
            DELETE FROM test_runs WHERE id = ANY($1) RETURNING session_id";
        let sessions = "/* Store::delete_runs */
            DELETE FROM test_sessions AS session
            WHERE session.id = ANY($1)
                AND NOT EXISTS (SELECT 1 FROM test_runs WHERE session_id = session.id)";
        let mut connection = self.pool.get().await?;
        let transaction = connection
            .transaction()
            .await
            .map_err(statement_error(runs))?;
        let deleted = transaction
            .query(runs, &[&ids])
            .await
            .map_err(statement_error(runs))?;
        let touched = deleted
            .iter()
            .map(|row| column::<Option<String>>(row, "session_id"))
            .collect::<Result<Vec<_>>>()?;
        transaction
            .execute(sessions, &[&touched])
            .await
            .map_err(statement_error(sessions))?;
        transaction.commit().await.map_err(statement_error(runs))?;
        Ok(deleted.len() as u64)
    }
}

fn api_summary_from(row: &Row) -> Result<ApiSummary> {
    Ok(ApiSummary {
        api_name: column(row, "api_name")?,
        runs: column(row, "runs")?,
        completed: column(row, "completed")?,
        failed: column(row, "failed")?,
        aborted: column(row, "aborted")?,
        invalid: column(row, "invalid")?,
        first_run: column(row, "first_run")?,
        last_run: column(row, "last_run")?,
    })
}
