//! PostgreSQL types that its client does not read as they are meant here.

use std::error::Error;

use bytes::BytesMut;
use domain::Timestamp;
use postgres_types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// `xid8`.
#[derive(Clone, Copy, Debug)]
pub(super) struct TransactionId(pub(super) u64);

impl<'a> FromSql<'a> for TransactionId {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(u64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::XID8
    }
}

impl ToSql for TransactionId {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::XID8
    }

    to_sql_checked!();
}

/// `timestamptz` in its whole range and with infinity, on which a date type would fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Microseconds {
    since_2000: i64,
}

/// From 1970 to 2000, in microseconds.
const EPOCHS_APART_US: i64 = 946_684_800_000_000;

impl From<Timestamp> for Microseconds {
    fn from(timestamp: Timestamp) -> Self {
        Self {
            since_2000: timestamp.micros().saturating_sub(EPOCHS_APART_US),
        }
    }
}

impl From<Microseconds> for Timestamp {
    fn from(microseconds: Microseconds) -> Self {
        Timestamp::from_micros(microseconds.since_2000.saturating_add(EPOCHS_APART_US))
    }
}

impl<'a> FromSql<'a> for Microseconds {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self {
            since_2000: i64::from_be_bytes(raw.try_into()?),
        })
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::TIMESTAMPTZ
    }
}

impl ToSql for Microseconds {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.since_2000.to_be_bytes());
        Ok(IsNull::No)
    }

    fn accepts(sql_type: &Type) -> bool {
        *sql_type == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}
