//! Why a statement failed, by SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

/// What a caller can do about a database error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The database cannot be reached, is starting or stopping, refuses writes, or lacks resources: a later try may
    /// succeed.
    Unavailable,
    /// The transaction was rolled back because of another one (deadlock, serialisation): run it again.
    Retry,
    /// The database refuses the values sent: the same statement with other values may succeed.
    Data,
    /// Anything else: a fault of the program or of the schema.
    Other,
}

/// Why a statement failed. `Display` is what a client may see: it contains no internals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cause {
    /// No connection can be opened, or the connection broke.
    #[error("the database cannot be reached")]
    Unreachable,
    /// PostgreSQL is starting, stopping, or an administrator ended the session.
    #[error("the database is starting or stopping")]
    Restarting,
    /// All connections of the pool are in use.
    #[error("all database connections are busy")]
    PoolExhausted,
    /// PostgreSQL takes no more connections.
    #[error("the database takes no more connections")]
    TooManyConnections,
    /// A standby, or a database that was set read-only.
    #[error("the database is read-only")]
    ReadOnly,
    /// No space is left on the database's disk.
    #[error("the database has no space left")]
    DiskFull,
    /// PostgreSQL lacks memory, or a file of it cannot be read or written.
    #[error("the database lacks resources")]
    OutOfResources,
    /// Another transaction holds a lock that the statement needs.
    #[error("another transaction holds a lock on the data")]
    Locked,
    /// The transaction was rolled back because of a concurrent one.
    #[error("concurrent transactions were in conflict")]
    Conflict,
    /// The statement took longer than `statement_timeout`, or an administrator cancelled it.
    #[error("the database cancelled the statement")]
    Cancelled,
    /// PostgreSQL refuses the values.
    #[error("the database refused the values")]
    Data,
    /// A fault of the program, the schema or the role's rights.
    #[error("internal error")]
    Other,
}

impl Cause {
    /// The cause that an SQLSTATE stands for.
    pub(super) fn of_code(code: &str) -> Self {
        match code {
            "25006" => Self::ReadOnly,
            "40001" | "40P01" => Self::Conflict,
            "53100" => Self::DiskFull,
            "53300" => Self::TooManyConnections,
            "55P03" => Self::Locked,
            "57014" => Self::Cancelled,
            _ => match code.get(..2) {
                // connection exception
                Some("08") => Self::Unreachable,
                // insufficient resources; system error
                Some("53" | "58") => Self::OutOfResources,
                // operator intervention
                Some("57") if code.starts_with("57P") => Self::Restarting,
                // data exception, integrity constraint violation, program limit exceeded
                Some("22" | "23" | "54") => Self::Data,
                _ => Self::Other,
            },
        }
    }

    /// What can be done about it.
    pub fn kind(self) -> DatabaseErrorKind {
        match self {
            Self::Conflict => DatabaseErrorKind::Retry,
            Self::Data => DatabaseErrorKind::Data,
            Self::Other => DatabaseErrorKind::Other,
            _ => DatabaseErrorKind::Unavailable,
        }
    }

    /// The value of a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unreachable | Self::Restarting | Self::PoolExhausted => "database_unavailable",
            Self::TooManyConnections => "too_many_connections",
            Self::ReadOnly => "read_only",
            Self::DiskFull => "disk_full",
            Self::OutOfResources => "out_of_resources",
            Self::Locked => "locked",
            Self::Conflict => "conflict",
            Self::Cancelled => "cancelled",
            Self::Data => "database_refused",
            Self::Other => "internal",
        }
    }
}

/// The name of an SQLSTATE that services meet.
pub(super) fn condition(code: &str) -> Option<&'static str> {
    Some(match code {
        "08000" => "connection_exception",
        "08003" => "connection_does_not_exist",
        "08006" => "connection_failure",
        "08P01" => "protocol_violation",
        "25006" => "read_only_sql_transaction",
        "25P02" => "in_failed_sql_transaction",
        "26000" => "invalid_sql_statement_name",
        "28000" => "invalid_authorization_specification",
        "28P01" => "invalid_password",
        "3D000" => "invalid_catalog_name",
        "3F000" => "invalid_schema_name",
        "40001" => "serialization_failure",
        "40P01" => "deadlock_detected",
        "42501" => "insufficient_privilege",
        "42703" => "undefined_column",
        "42P01" => "undefined_table",
        "42P05" => "duplicate_prepared_statement",
        "53100" => "disk_full",
        "53200" => "out_of_memory",
        "53300" => "too_many_connections",
        "55P03" => "lock_not_available",
        "57014" => "query_canceled",
        "57P01" => "admin_shutdown",
        "57P02" => "crash_shutdown",
        "57P03" => "cannot_connect_now",
        "57P04" => "database_dropped",
        "57P05" => "idle_session_timeout",
        "58030" => "io_error",
        "XX000" => "internal_error",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_can_be_done() {
        use DatabaseErrorKind::*;
        for (code, cause, kind) in [
            ("08006", Cause::Unreachable, Unavailable),
            ("57P01", Cause::Restarting, Unavailable),
            ("57P03", Cause::Restarting, Unavailable),
            ("57014", Cause::Cancelled, Unavailable),
            ("53100", Cause::DiskFull, Unavailable),
            ("53200", Cause::OutOfResources, Unavailable),
            ("53300", Cause::TooManyConnections, Unavailable),
            ("58030", Cause::OutOfResources, Unavailable),
            ("25006", Cause::ReadOnly, Unavailable),
            ("55P03", Cause::Locked, Unavailable),
            ("40001", Cause::Conflict, Retry),
            ("40P01", Cause::Conflict, Retry),
            ("40002", Cause::Other, Other),
            ("22021", Cause::Data, Data),
            ("22P05", Cause::Data, Data),
            ("23505", Cause::Data, Data),
            ("54000", Cause::Data, Data),
            ("42P01", Cause::Other, Other),
            ("25P02", Cause::Other, Other),
            ("57000", Cause::Other, Other),
        ] {
            assert_eq!(Cause::of_code(code), cause, "{code}");
            assert_eq!(cause.kind(), kind, "{code}");
        }
        assert_eq!(condition("55P03"), Some("lock_not_available"));
        assert_eq!(condition("99999"), None);
    }
}
