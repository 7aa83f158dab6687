//! Database errors, sorted by what can be done about them.

use std::time::Duration;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

mod cause;

pub use cause::{Cause, DatabaseErrorKind};

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
    /// The database is away: nothing was asked, and callers are told at once until it is back.
    #[error("the database is away: {0}")]
    Away(Cause),
    /// The database answers and takes no writes: a standby, or one that an operator has set read-only.
    #[error("the database is read-only")]
    ReadOnly,
    /// The database answers, and the last writes failed.
    #[error("no write succeeds: {0}")]
    NoWrites(Cause),
    /// The database is a replica, further behind its primary than the service allows.
    #[error("the replica is more than {} behind its primary", humantime::format_duration(*bound))]
    Behind {
        /// What is allowed.
        bound: Duration,
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
        self.cause().kind()
    }

    /// Why it failed.
    pub fn cause(&self) -> Cause {
        match self {
            Self::AcquireTimeout {
                pool_exhausted: true,
                ..
            } => Cause::PoolExhausted,
            Self::AcquireTimeout { .. }
            | Self::NoAnswer { .. }
            | Self::Behind { .. }
            | Self::Pool(_) => Cause::Unreachable,
            Self::ReadOnly => Cause::ReadOnly,
            Self::NoWrites(cause) | Self::Away(cause) => *cause,
            Self::Postgres(error) => match error.code() {
                Some(code) => Cause::of_code(code.code()),
                None if error.is_closed() || has_io_cause(error) => Cause::Unreachable,
                None => Cause::Other,
            },
        }
    }

    /// Whether the connection is gone, so that it is not known what became of the statement.
    pub fn is_connection_lost(&self) -> bool {
        match self {
            Self::AcquireTimeout { .. }
            | Self::Away(_)
            | Self::Behind { .. }
            | Self::Pool(_)
            | Self::ReadOnly
            | Self::NoWrites(_) => false,
            Self::NoAnswer { .. } => true,
            Self::Postgres(error) => match error.code() {
                Some(code) => code.code().starts_with("57P") || code.code().starts_with("08"),
                None => error.is_closed() || has_io_cause(error),
            },
        }
    }

    /// Whether the session may be to blame, so that the next statement needs another one. A session keeps the settings
    /// that it was opened with (`default_transaction_read_only`, `statement_timeout`, `search_path`), also when the
    /// database's or the role's are set back.
    pub fn spoils_session(&self) -> bool {
        match self.cause() {
            Cause::Data | Cause::Conflict | Cause::Locked => false,
            Cause::DiskFull | Cause::TooManyConnections => self.is_connection_lost(),
            _ => true,
        }
    }

    /// What to do about an error that no waiting mends: the settings do not fit the server.
    pub(super) fn remedy_at_start(&self) -> Option<&'static str> {
        let Self::Postgres(error) = self else {
            return None;
        };
        match error.code().map(SqlState::code) {
            Some("28P01") => Some("check its user and its password"),
            Some("28000") => Some("check its user, and what the server's pg_hba.conf allows"),
            Some("3D000") => Some("create the database, or name another one"),
            Some("42501") => Some("give the role the right to connect"),
            Some(_) => None,
            // The kind of an error without a code shows in its text alone.
            None if has_io_cause(error) => None,
            None => {
                let text = error.to_string();
                if text.starts_with("error performing TLS handshake") {
                    Some("set TLS up at the server, or choose another sslmode")
                } else if text.starts_with("authentication error")
                    || text.starts_with("invalid configuration")
                {
                    Some("check its user, its password and its parameters")
                } else {
                    None
                }
            }
        }
    }

    /// PostgreSQL's error code, where it gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Postgres(error) => error.code().map(SqlState::code),
            _ => None,
        }
    }

    /// The name of PostgreSQL's error code, where it is one that services meet.
    pub fn condition(&self) -> Option<&'static str> {
        self.sqlstate().and_then(cause::condition)
    }

    /// The whole message with its causes, for the log: `db error: ERROR: ... (55P03 lock_not_available)`.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        if let Some(code) = self.sqlstate() {
            let name = self.condition().map(|name| format!(" {name}"));
            text.push_str(&format!(" ({code}{})", name.unwrap_or_default()));
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
