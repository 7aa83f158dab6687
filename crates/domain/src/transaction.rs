//! Transactions between accounts, and what a subscriber to their stream may ask for.

use std::fmt;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

mod subscription;

pub use subscription::{Start, Subscription, SubscriptionDraft};

/// A transaction as it was written, by whomever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Unique.
    pub tx_id: String,
    /// The account that gave.
    pub from_account: String,
    /// The account that received.
    pub to_account: String,
    /// In tinybar, of which 100,000,000 are one hbar.
    pub amount_tinybar: i64,
    /// `transfer`, `vesting_release`, `contract_call` or another.
    pub tx_type: String,
    /// When it took place, as its writer says.
    pub timestamp: Timestamp,
}

impl Transaction {
    /// Whether `account` gave or received.
    #[must_use]
    pub fn concerns(&self, account: &str) -> bool {
        self.from_account == account || self.to_account == account
    }

    /// The bytes of its texts.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.tx_id.len() + self.from_account.len() + self.to_account.len() + self.tx_type.len()
    }
}

/// A moment, in microseconds since 1970; the database's resolution and range, infinity included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first moment that RFC 3339 can write: the year 0.
    const FIRST_US: i64 = -62_167_219_200_000_000;
    /// The last one: the year 9999.
    const LAST_US: i64 = 253_402_300_799_999_999;

    /// From microseconds since 1970.
    #[must_use]
    pub fn from_micros(microseconds: i64) -> Self {
        Self(microseconds)
    }

    /// The first moment that is not before `moment`, which may be finer than a microsecond.
    #[must_use]
    pub fn at_or_after(moment: OffsetDateTime) -> Self {
        let nanoseconds = moment.unix_timestamp_nanos();
        // Rounded up; the years 0 to 9999 fit.
        let microseconds =
            nanoseconds.div_euclid(1000) + i128::from(nanoseconds.rem_euclid(1000) > 0);
        Self(i64::try_from(microseconds).unwrap_or(i64::MAX))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many digits of the second as it has, at most six. A moment beyond the years 0 to 9999
    /// is written as the nearest one within, since RFC 3339 has no other.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i128::from(self.0.clamp(Self::FIRST_US, Self::LAST_US)) * 1000;
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).map_err(|_| fmt::Error)?;
        f.write_str(&moment.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}
