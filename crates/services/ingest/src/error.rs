//! What can go wrong with an event after it was found valid, and with one that was not.

use domain::{Invalid, Kind};
use runtime::postgres::{Cause, DatabaseError};

/// What became of one event: `Ok` once it is committed.
pub type Outcome = Result<(), IngestError>;

/// Why an event was not acknowledged. `Display` is what the client may see.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum IngestError {
    /// The event breaks the contract.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The event is larger than `MAX_EVENT_BYTES`.
    #[error("the event is larger than {limit} bytes (MAX_EVENT_BYTES)")]
    TooLarge {
        /// The limit in bytes.
        limit: u32,
    },
    /// PostgreSQL refused this event's values although they passed validation.
    #[error("the database refused the event's values")]
    Refused,
    /// The queue is full.
    #[error("the queue is full: retry later")]
    QueueFull,
    /// The database could not store the event. After [`Cause::Unreachable`] and [`Cause::Restarting`] it may or may not
    /// have been stored.
    #[error("{0}: retry later")]
    Database(Cause),
    /// Kafka takes no events now.
    #[error("Kafka takes no events now: retry later")]
    Kafka,
    /// Kafka did not acknowledge; the event may or may not have been stored.
    #[error("no acknowledgement from Kafka in time: retry later")]
    NotAcknowledged,
    /// Kafka has the event, and with `wait=applied` no sink merged it before `REQUEST_TIMEOUT` passed.
    #[error(
        "wait=applied: Kafka has the event, but no sink merged it in time: do not send it again; see that a sink of \
         SINK_GROUP runs and is not behind, or raise REQUEST_TIMEOUT"
    )]
    NotApplied,
    /// `REQUEST_TIMEOUT` passed; the event may or may not have been stored.
    #[error("no answer from the database in time: retry later")]
    Timeout,
    /// The service stops and no longer takes or waits for events.
    #[error("the service is shutting down: retry later")]
    ShuttingDown,
    /// A fault of the service; the log has the details.
    #[error("internal error")]
    Internal,
}

impl IngestError {
    /// The kind of the error; `runtime::status` maps it to HTTP and gRPC.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(invalid) => invalid.kind(),
            Self::TooLarge { .. } => Kind::TooLarge,
            Self::Refused => Kind::InvalidArgument,
            Self::QueueFull => Kind::ResourceExhausted,
            Self::Database(_)
            | Self::Kafka
            | Self::NotAcknowledged
            | Self::NotApplied
            | Self::Timeout
            | Self::ShuttingDown => Kind::Unavailable,
            Self::Internal => Kind::Internal,
        }
    }

    /// The value of the label `reason` of `ingest_refused_total`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::TooLarge { .. } => "too_large",
            Self::Refused => "database_refused",
            Self::QueueFull => "queue_full",
            Self::Database(cause) => cause.label(),
            Self::Kafka => "kafka_unavailable",
            Self::NotAcknowledged => "not_acknowledged",
            Self::NotApplied => "not_applied",
            Self::Timeout => "timeout",
            Self::ShuttingDown => "shutting_down",
            Self::Internal => "internal",
        }
    }

    /// What the caller of a failed statement is told. Logs what callers are not told, here and nowhere else.
    pub(crate) fn report(error: &DatabaseError) -> Self {
        let cause = error.cause();
        let (code, name) = (error.sqlstate(), error.condition());
        match cause {
            Cause::Data => {
                tracing::warn!(error = %error.chain(), db.sqlstate = code, db.condition = name, "the database refused an event that passed validation");
                Self::Refused
            }
            Cause::Other => {
                tracing::error!(error = %error.chain(), db.sqlstate = code, db.condition = name, "a statement failed");
                Self::Internal
            }
            cause => {
                tracing::warn!(error = %error.chain(), db.sqlstate = code, db.condition = name, "not stored: {cause}");
                Self::Database(cause)
            }
        }
    }

    /// Every value of [`Self::reason`], so that each is in the metrics from the start.
    pub const REASONS: [&'static str; 18] = [
        "invalid",
        "too_large",
        "database_refused",
        "queue_full",
        "database_unavailable",
        "too_many_connections",
        "read_only",
        "disk_full",
        "out_of_resources",
        "locked",
        "conflict",
        "cancelled",
        "kafka_unavailable",
        "not_acknowledged",
        "not_applied",
        "timeout",
        "shutting_down",
        "internal",
    ];
}
