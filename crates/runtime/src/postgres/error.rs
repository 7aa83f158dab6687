//! Database errors, sorted by what can be done about them.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

/// What a caller can do about a database error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The database cannot be reached, is starting or stopping, or has no resources: later it may work. Whether
    /// a statement that was under way took effect is not known.
    Unavailable,
    /// The transaction was rolled back because of another one (deadlock, serialisation): run it again.
    Retry,
    /// The values sent are what the database refuses: the same statement with other values may work.
    Data,
    /// Anything else: a fault of the program or of the schema.
    Other,
}

/// An error of the pool or of PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection within the time a caller waits for one.
    #[error("no database connection within {}", humantime::format_duration(*limit))]
    AcquireTimeout {
        /// How long was waited.
        limit: Duration,
        /// Whether every connection was in use by others, rather than PostgreSQL not answering.
        pool_exhausted: bool,
    },
    /// A statement without an answer in time.
    #[error("no answer from the database within {}", humantime::format_duration(*limit))]
    NoAnswer {
        /// How long was waited.
        limit: Duration,
    },
    /// The pool is closed, or faulty.
    #[error("the connection pool gives no connection: {0}")]
    Pool(String),
    /// What PostgreSQL or the connection to it said.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
}

impl DatabaseError {
    /// What can be done about it.
    pub fn kind(&self) -> DatabaseErrorKind {
        match self {
            Self::AcquireTimeout { .. } | Self::NoAnswer { .. } | Self::Pool(_) => {
                DatabaseErrorKind::Unavailable
            }
            Self::Postgres(error) => kind_of(error),
        }
    }

    /// Whether the connection is gone, so that it is not known what became of the statement.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::AcquireTimeout { .. } | Self::Pool(_) => false,
            Self::NoAnswer { .. } => true,
            Self::Postgres(error) => match error.code() {
                Some(code) => code.code().starts_with("57P") || code.code().starts_with("08"),
                None => error.is_closed() || has_io_cause(error),
            },
        }
    }

    /// PostgreSQL's error code, where it gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Postgres(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// The whole message with its causes, for the log: `db error: ERROR: ...`.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl From<PoolError> for DatabaseError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Postgres(error),
            other => Self::Pool(other.to_string()),
        }
    }
}

fn kind_of(error: &tokio_postgres::Error) -> DatabaseErrorKind {
    match error.code() {
        Some(code) => kind_of_code(code.code()),
        None if error.is_closed() || has_io_cause(error) => DatabaseErrorKind::Unavailable,
        None => DatabaseErrorKind::Other,
    }
}

fn has_io_cause(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// By SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn kind_of_code(code: &str) -> DatabaseErrorKind {
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => DatabaseErrorKind::Retry,
        // read_only_sql_transaction: a standby, or a primary that became one
        "25006" => DatabaseErrorKind::Unavailable,
        // lock_not_available, query_canceled (statement_timeout)
        "55P03" | "57014" => DatabaseErrorKind::Unavailable,
        _ => match code.get(..2) {
            // connection exception, insufficient resources (too many connections, disk full), operator
            // intervention (shutdown, crash, cannot connect now), system error
            Some("08" | "53" | "58") => DatabaseErrorKind::Unavailable,
            Some("57") if code.starts_with("57P") => DatabaseErrorKind::Unavailable,
            // data exception, integrity constraint violation, program limit exceeded
            Some("22" | "23" | "54") => DatabaseErrorKind::Data,
            _ => DatabaseErrorKind::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_can_be_done() {
        use DatabaseErrorKind::*;
        for (code, kind) in [
            ("08006", Unavailable),
            ("57P01", Unavailable),
            ("57P03", Unavailable),
            ("53300", Unavailable),
            ("25006", Unavailable),
            ("40001", Retry),
            ("40P01", Retry),
            ("40002", Other),
            ("22021", Data),
            ("22P05", Data),
            ("23505", Data),
            ("54000", Data),
            ("42P01", Other),
            ("25P02", Other),
        ] {
            assert_eq!(kind_of_code(code), kind, "{code}");
        }
    }
}
