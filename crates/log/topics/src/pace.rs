//! Where a consumer begins, and how much it is given at once. Pure.

use std::time::Duration;

use domain::Invalid;

use super::reader::Limits;

/// `max_bytes` where it is 0.
const DEFAULT_BYTES: usize = 1024 * 1024;
/// What a message may have beside keys and values.
const BESIDE: usize = 1024 * 1024;
/// Largest message with more than one record.
const MESSAGE_BYTES: usize = 10 * 1024 * 1024;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The first record that is still there.
    Earliest,
    /// The next record to come.
    Latest,
    /// The record of this offset.
    Offset(u64),
}

impl Start {
    /// -1 is the earliest, -2 the latest.
    ///
    /// # Errors
    /// Below -2.
    pub fn parse(offset: i64) -> Result<Self, Invalid> {
        match offset {
            -1 => Ok(Self::Earliest),
            -2 => Ok(Self::Latest),
            offset => u64::try_from(offset).map(Self::Offset).map_err(|_| {
                Invalid::new(
                    "offset",
                    "must be at least 0, or -1 for the earliest, -2 for the latest",
                )
            }),
        }
    }
}

/// How much is given at once, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Of keys and values at once; at least one record whatever its size.
    pub max_bytes: usize,
    /// Fewer are held back.
    pub min_bytes: usize,
    /// For how long.
    pub max_wait: Duration,
}

impl Pace {
    /// `max_bytes` of keys and values at once (0: 1 MiB), at least one record. With `max_wait_ms` over 0, fewer than
    /// `min_bytes` are held back for that long.
    ///
    /// # Errors
    /// One is negative.
    pub fn parse(max_bytes: i64, min_bytes: i64, max_wait_ms: i64) -> Result<Self, Invalid> {
        let natural = |name, number: i64| {
            u64::try_from(number).map_err(|_| Invalid::new(name, "must not be negative"))
        };
        let max_bytes = natural("maxBytes", max_bytes)?;
        let min_bytes = natural("minBytes", min_bytes)?;
        let max_wait = natural("maxWaitMs", max_wait_ms)?;
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            max_bytes: if max_bytes == 0 {
                DEFAULT_BYTES
            } else {
                max_bytes
            },
            min_bytes: usize::try_from(min_bytes).unwrap_or(usize::MAX),
            max_wait: Duration::from_millis(max_wait),
        })
    }

    pub(crate) fn limits(&self) -> Limits {
        let most = self.max_bytes.max(DEFAULT_BYTES).saturating_add(BESIDE);
        Limits {
            content: self.max_bytes,
            disk: most.min(MESSAGE_BYTES),
        }
    }
}
