//! Sessions: one invocation of the lab each.

use tokio_postgres::Row;

use super::{Store, column};
use crate::error::Result;
use crate::rows::{NewSession, Session};

macro_rules! session_columns {
    () => {
        "id, command, seed, runtime, git_commit, environment, fingerprint, started_at, completed_at, plan"
    };
}

impl Store {
    /// Records the start of a session.
    ///
    /// # Errors
    /// Also where the id is taken.
    pub async fn create_session(&self, session: &NewSession) -> Result<()> {
        let environment = match &session.environment {
            serde_json::Value::Null => &serde_json::json!({}),
            given => given,
        };
        self.execute(
            "/* Store::create_session */
             INSERT INTO test_sessions (id, command, seed, runtime, git_commit, environment, fingerprint)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                &session.id,
                &session.command,
                &session.seed,
                &session.runtime,
                &session.git_commit,
                environment,
                &session.fingerprint,
            ],
        )
        .await
        .map(drop)
    }

    /// Records that the last cell of a session has ended.
    ///
    /// # Errors
    /// Of the database; an unknown id is none.
    pub async fn finish_session(&self, id: &str) -> Result<()> {
        self.execute(
            "/* Store::finish_session */ UPDATE test_sessions SET completed_at = now() WHERE id = $1",
            &[&id],
        )
        .await
        .map(drop)
    }

    /// Records what a session is going to run.
    ///
    /// # Errors
    /// Of the database; an unknown id is none.
    pub async fn set_session_plan(&self, id: &str, plan: &serde_json::Value) -> Result<()> {
        self.execute(
            "/* Store::set_session_plan */ UPDATE test_sessions SET plan = $2 WHERE id = $1",
            &[&id, plan],
        )
        .await
        .map(drop)
    }

    /// Records that a session goes on: it has not ended any more.
    ///
    /// # Errors
    /// Of the database; an unknown id is none.
    pub async fn reopen_session(&self, id: &str) -> Result<()> {
        self.execute(
            "/* Store::reopen_session */ UPDATE test_sessions SET completed_at = NULL WHERE id = $1",
            &[&id],
        )
        .await
        .map(drop)
    }

    /// The session of this id.
    ///
    /// # Errors
    /// Of the database.
    pub async fn session(&self, id: &str) -> Result<Option<Session>> {
        let sql = concat!(
            "/* Store::session */ SELECT ",
            session_columns!(),
            " FROM test_sessions WHERE id = $1"
        );
        self.rows(sql, &[&id])
            .await?
            .first()
            .map(session_from)
            .transpose()
    }

    /// All sessions, newest first, at most `limit`.
    ///
    /// # Errors
    /// Of the database.
    pub async fn sessions(&self, limit: i64) -> Result<Vec<Session>> {
        let sql = concat!(
            "/* Store::sessions */ SELECT ",
            session_columns!(),
            " FROM test_sessions ORDER BY started_at DESC, id DESC LIMIT $1"
        );
        self.rows(sql, &[&limit])
            .await?
            .iter()
            .map(session_from)
            .collect()
    }

    /// The session that began last.
    ///
    /// # Errors
    /// Of the database.
    pub async fn latest_session(&self) -> Result<Option<Session>> {
        Ok(self.sessions(1).await?.pop())
    }
}

fn session_from(row: &Row) -> Result<Session> {
    Ok(Session {
        id: column(row, "id")?,
        command: column(row, "command")?,
        seed: column(row, "seed")?,
        runtime: column(row, "runtime")?,
        git_commit: column(row, "git_commit")?,
        environment: column(row, "environment")?,
        fingerprint: column(row, "fingerprint")?,
        started_at: column(row, "started_at")?,
        completed_at: column(row, "completed_at")?,
        plan: column(row, "plan")?,
    })
}
