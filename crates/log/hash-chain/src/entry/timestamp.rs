//! When an entry was written.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A moment in microseconds since 1970, UTC. Displays as `2026-01-01T00:00:00.000000+00:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Bytes of a timestamp as text.
pub(crate) const TIMESTAMP_BYTES: usize = 32;
const FORM: &[u8; TIMESTAMP_BYTES] = b"0000-00-00T00:00:00.000000+00:00";

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
        let fixed = text.len() - text.len().min(6);
        text.len() == TIMESTAMP_BYTES
            && text[fixed..] == FORM[fixed..]
            && text
                .iter()
                .zip(FORM)
                .all(|(byte, form)| byte == form || (*form == b'0' && byte.is_ascii_digit()))
    }

    /// As text. Written digit by digit, a tenth of what formatting takes: each entry is stamped while others wait.
    pub(crate) fn text(self) -> [u8; TIMESTAMP_BYTES] {
        let nanoseconds = i128::from(self.0) * 1000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = *FORM;
        for (value, digits) in [
            (at.year().unsigned_abs(), 0..4),
            (u8::from(at.month()).into(), 5..7),
            (at.day().into(), 8..10),
            (at.hour().into(), 11..13),
            (at.minute().into(), 14..16),
            (at.second().into(), 17..19),
            (at.microsecond(), 20..26),
        ] {
            let mut rest: u32 = value;
            for digit in text[digits].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_the_calendar() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000+00:00"),
            (1, "1970-01-01T00:00:00.000001+00:00"),
            (951_827_696_789_012, "2000-02-29T12:34:56.789012+00:00"),
            (1_767_225_599_999_999, "2025-12-31T23:59:59.999999+00:00"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999+00:00"),
        ] {
            assert_eq!(Timestamp(micros).to_string(), text);
            assert!(Timestamp::is_form(text.as_bytes()));
        }
    }
}
