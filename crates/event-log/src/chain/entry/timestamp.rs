//! When an entry was written.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A moment in microseconds since 1970, UTC. Displays as `2026-01-01T00:00:00.000000+00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Bytes of a timestamp as text.
pub(super) const TIMESTAMP_BYTES: usize = 32;

impl Timestamp {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Whether `text` has the form of a timestamp: digits where they belong, no look at the calendar.
    pub(super) fn is_form(text: &[u8]) -> bool {
        const FORM: &[u8; TIMESTAMP_BYTES] = b"0000-00-00T00:00:00.000000+00:00";
        let fixed = text.len() - text.len().min(6);
        text.len() == TIMESTAMP_BYTES
            && text[fixed..] == FORM[fixed..]
            && text
                .iter()
                .zip(FORM)
                .all(|(byte, form)| byte == form || (*form == b'0' && byte.is_ascii_digit()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = i128::from(self.0) * 1000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.microsecond()
        )
    }
}
