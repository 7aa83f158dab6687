//! Why a stream was refused.

use domain::{Invalid, Kind};
use runtime::postgres::{Cause, DatabaseError, DatabaseErrorKind};
use runtime::shutdown::ShuttingDown;
use runtime::status::Failure;

/// Why there is no stream. `Display` is what the client may see.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StreamError {
    /// The request breaks the contract.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The database could not answer.
    #[error("{0}: retry later")]
    Database(Cause),
    /// Transactions cannot be followed or numbered; the log says why.
    #[error("new transactions cannot be streamed: retry later")]
    Interrupted,
    /// `REQUEST_TIMEOUT` passed.
    #[error("no answer from the database in time: retry later")]
    Timeout,
    /// The service stops.
    #[error("shutting down")]
    ShuttingDown,
    /// A fault of the service; the log has the details.
    #[error("internal error")]
    Internal,
}

impl StreamError {
    /// The kind of the error; `runtime::status` maps it to HTTP and gRPC.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(invalid) => invalid.kind(),
            Self::Database(_) | Self::Interrupted | Self::Timeout | Self::ShuttingDown => {
                Kind::Unavailable
            }
            Self::Internal => Kind::Internal,
        }
    }
}

impl From<DatabaseError> for StreamError {
    /// Logs what callers are not told, here and nowhere else.
    fn from(error: DatabaseError) -> Self {
        match error.kind() {
            DatabaseErrorKind::Unavailable | DatabaseErrorKind::Retry => {
                tracing::debug!(error = %error.chain(), "no stream without the database");
                Self::Database(error.cause())
            }
            DatabaseErrorKind::Data | DatabaseErrorKind::Other => {
                tracing::error!(error = %error.chain(), "a statement failed");
                Self::Internal
            }
        }
    }
}

impl From<ShuttingDown> for StreamError {
    fn from(_: ShuttingDown) -> Self {
        Self::ShuttingDown
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        Failure::new(error.kind(), error.to_string())
    }
}
