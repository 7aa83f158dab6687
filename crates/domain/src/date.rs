//! Dates: RFC 3339, or whole milliseconds since 1970 as a number or as text.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::draft::Field;

/// The last millisecond of the year 9999, in milliseconds since 1970.
pub const MAX_MILLISECONDS: i64 = 253_402_300_799_999;

/// What is said of a date that is none.
pub const PROBLEM: &str = "must be an RFC 3339 date with Z or an offset, or whole milliseconds since 1970 \
                           (0 to 253402300799999)";

/// Whether a field is a date or none at all (left out, null, or an empty text).
pub(crate) fn check(field: &Field<'_>) -> Result<(), &'static str> {
    let valid = match field {
        Field::Absent => true,
        Field::Text(text) => text.is_empty() || parse_text(text).is_some(),
        Field::Number(number) => parse_number(number).is_some(),
        Field::LoneSurrogate | Field::Wrong => false,
    };
    if valid { Ok(()) } else { Err(PROBLEM) }
}

/// A date as text: RFC 3339 with Z or an offset, or the digits of whole milliseconds since 1970.
#[must_use]
pub fn parse_text(text: &str) -> Option<OffsetDateTime> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return from_milliseconds(text.parse().ok()?);
    }
    // The `time` crate takes any separator of date and time; RFC 3339 has one.
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

/// A date as a JSON number: whole milliseconds since 1970, however the number is written (`1.5e12` is whole).
#[must_use]
pub fn parse_number(number: &str) -> Option<OffsetDateTime> {
    if let Ok(milliseconds) = number.parse() {
        return from_milliseconds(milliseconds);
    }
    let value: f64 = number.parse().ok()?;
    // Whole numbers up to the bound are exact in a double.
    let whole = value.fract() == 0.0 && (0.0..=MAX_MILLISECONDS as f64).contains(&value);
    if whole {
        from_milliseconds(value as i64)
    } else {
        None
    }
}

fn from_milliseconds(milliseconds: i64) -> Option<OffsetDateTime> {
    if !(0..=MAX_MILLISECONDS).contains(&milliseconds) {
        return None;
    }
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}
