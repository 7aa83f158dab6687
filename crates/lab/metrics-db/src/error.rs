//! What can go wrong with the metrics database.

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the metrics database, with what its reader needs to act on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server could not be reached or refused the login.
    #[error(
        "cannot connect to the metrics database {name} at {host}:{port} (DB_NAME, DB_HOST, DB_PORT) as {user}: {reason}"
    )]
    Connect {
        /// `DB_HOST`
        host: String,
        /// `DB_PORT`
        port: u16,
        /// `DB_NAME`
        name: String,
        /// `DB_USER`
        user: String,
        /// The last reason, with how often it was tried.
        reason: String,
    },

    /// No connection could be had from the pool.
    #[error("no connection to the metrics database: {0}")]
    Pool(#[from] deadpool_postgres::PoolError),

    /// A migration failed, or an applied one differs from the file of that number.
    #[error("cannot apply the schema of the metrics database: {0}")]
    Migration(#[from] refinery::Error),

    /// A statement failed.
    #[error("the metrics database refused {function}: {}", describe(source))]
    Statement {
        /// The function of [`crate::Store`] whose statement it is.
        function: &'static str,
        /// The driver's error.
        source: tokio_postgres::Error,
    },

    /// No run has this id.
    #[error("the metrics database has no run {0}")]
    NoSuchRun(i64),

    /// A stored value is none that this version knows.
    #[error("the metrics database holds an unknown {column}: {value}")]
    UnknownValue {
        /// Table and column.
        column: &'static str,
        /// What is there.
        value: String,
    },
}

/// The server's message, which the driver's `Display` leaves out.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} (SQLSTATE {})", db.message(), db.code().code()),
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(inner) = source {
                text = format!("{text}: {inner}");
                source = inner.source();
            }
            text
        }
    }
}
