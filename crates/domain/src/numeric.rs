//! Which JSON numbers PostgreSQL's `numeric` takes, and thereby `jsonb`.

/// So many digits before the decimal point: a 16-bit weight in units of four digits.
const MAX_INTEGER_DIGITS: i64 = 131_072;

/// So many digits after it: a 14-bit display scale, which counts trailing zeros too.
pub(crate) const MAX_SCALE: i64 = 16_383;

/// From this exponent on `numeric_in` gives up, even where all digits are zero.
const EXPONENT_BOUND: u64 = (i32::MAX / 2) as u64;

/// Judges a number by its mantissa (without sign) and what follows its `e`, by the rules of `numeric_in`: the
/// display scale is the count of fractional digits less the exponent, and the weight is that of the first digit
/// that is not zero.
pub(crate) fn fits(mantissa: &[u8], exponent: Option<&[u8]>) -> bool {
    let Some(exponent) = exponent.map_or(Some(0), parse_exponent) else {
        return false;
    };
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    let fraction_digits = mantissa.len().saturating_sub(point + 1) as i64;
    if fraction_digits - exponent > MAX_SCALE {
        return false;
    }
    let Some(first) = mantissa.iter().position(|byte| matches!(byte, b'1'..=b'9')) else {
        return true;
    };
    // The power of ten of the first digit that is not zero: 0 for the digit before the point.
    let magnitude = point as i64 - first as i64 - i64::from(first < point);
    magnitude + exponent < MAX_INTEGER_DIGITS
}

fn parse_exponent(digits: &[u8]) -> Option<i64> {
    let exponent: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (exponent.unsigned_abs() < EXPONENT_BOUND).then_some(exponent)
}
