//! Why a request for balances was not answered with balances.

use std::time::Duration;

use domain::{AccountId, Invalid, Kind};
use protect::Refusal;
use runtime::postgres::{Cause, DatabaseError, DatabaseErrorKind};
use runtime::shutdown::ShuttingDown;
use runtime::status::Failure;

/// `Display` is what the client may see, on both faces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BalanceError {
    /// The request breaks the contract.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The caller may not read one of the accounts.
    #[error(transparent)]
    Denied(#[from] Refusal),
    /// There is no such account.
    #[error("no such account: {}", .0.as_str())]
    UnknownAccount(AccountId),
    /// The queue of accounts is full.
    #[error("the queue is full: retry later")]
    QueueFull,
    /// The database could not answer.
    #[error("{0}: retry later")]
    Database(Cause),
    /// The replica is further behind its primary than `MAX_REPLICA_LAG`, or nobody can say how far.
    #[error(
        "the replica is more than {} behind its primary (MAX_REPLICA_LAG): retry later",
        humantime::format_duration(*bound)
    )]
    Behind {
        /// The bound.
        bound: Duration,
    },
    /// `REQUEST_TIMEOUT` passed.
    #[error("no answer from the database in time: retry later")]
    Timeout,
    /// The service stops and no longer takes or waits for requests.
    #[error("{ShuttingDown}")]
    ShuttingDown,
    /// A fault of the service; the log has the details.
    #[error("internal error")]
    Internal,
}

impl BalanceError {
    /// The kind of the error; `runtime::status` maps it to HTTP and gRPC.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(invalid) => invalid.kind(),
            Self::Denied(refusal) => refusal.kind(),
            Self::UnknownAccount(_) => Kind::NotFound,
            Self::QueueFull => Kind::ResourceExhausted,
            Self::Database(_) | Self::Behind { .. } | Self::Timeout | Self::ShuttingDown => {
                Kind::Unavailable
            }
            Self::Internal => Kind::Internal,
        }
    }

    /// The value of the label `reason` of `balance_refused_total`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Denied(_) => "permission_denied",
            Self::UnknownAccount(_) => "unknown_account",
            Self::QueueFull => "queue_full",
            Self::Database(_) => "database_unavailable",
            Self::Behind { .. } => "replica_behind",
            Self::Timeout => "timeout",
            Self::ShuttingDown => "shutting_down",
            Self::Internal => "internal",
        }
    }

    /// Every value of [`Self::reason`], so that each is in the metrics from the start.
    pub const REASONS: [&'static str; 9] = [
        "invalid",
        "permission_denied",
        "unknown_account",
        "queue_full",
        "database_unavailable",
        "replica_behind",
        "timeout",
        "shutting_down",
        "internal",
    ];
}

impl From<&DatabaseError> for BalanceError {
    /// What the callers of a failed read are told; it contains no internals.
    fn from(error: &DatabaseError) -> Self {
        match error.kind() {
            DatabaseErrorKind::Unavailable | DatabaseErrorKind::Retry => {
                Self::Database(error.cause())
            }
            DatabaseErrorKind::Data | DatabaseErrorKind::Other => Self::Internal,
        }
    }
}

impl From<ShuttingDown> for BalanceError {
    fn from(_: ShuttingDown) -> Self {
        Self::ShuttingDown
    }
}

impl From<BalanceError> for Failure {
    fn from(error: BalanceError) -> Self {
        Failure::new(error.kind(), error.to_string())
    }
}
