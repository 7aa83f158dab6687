//! One pass over a JSON value whose syntax is known to be right: where it ends, and what in it `jsonb` would
//! refuse. The hot path of ingestion, hence bytes, no tree and no allocation.

use crate::attributes::{Fault, MAX_NESTING};

/// What a pass over a value found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Offset of the first byte after the value.
    pub(crate) end: usize,
    /// The first fault in document order.
    pub(crate) fault: Option<Fault>,
    /// Whether half of a surrogate pair is anywhere in it.
    pub(crate) lone_surrogate: bool,
}

impl Scan {
    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
        self.lone_surrogate |= fault == Fault::LoneSurrogate;
    }
}

/// Scans the value that begins at `start`. White space before it is passed over.
pub(crate) fn value(text: &[u8], start: usize) -> Scan {
    let mut scan = Scan {
        end: start,
        fault: None,
        lone_surrogate: false,
    };
    let mut depth = 0_usize;
    while let Some(&byte) = text.get(scan.end) {
        match byte {
            b'"' => string(text, &mut scan),
            b'{' | b'[' => {
                depth += 1;
                scan.end += 1;
                if depth > MAX_NESTING {
                    scan.note(Fault::TooDeep);
                }
                continue;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                scan.end += 1;
            }
            b'-' | b'0'..=b'9' => number(text, &mut scan),
            b'a'..=b'z' => scan.end += run(&text[scan.end..], |b| b.is_ascii_lowercase()),
            _ => {
                scan.end += 1;
                continue;
            }
        }
        if depth == 0 {
            break;
        }
    }
    scan
}

/// Passes over the string that begins at `scan.end`.
fn string(text: &[u8], scan: &mut Scan) {
    let mut at = scan.end + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        if text[at] == b'"' {
            scan.end = at + 1;
            return;
        }
        at += match escaped_unit(text, at) {
            None => 2,
            Some(0) => {
                scan.note(Fault::Nul);
                6
            }
            Some(0xD800..=0xDBFF) => match escaped_unit(text, at + 6) {
                Some(0xDC00..=0xDFFF) => 12,
                _ => {
                    scan.note(Fault::LoneSurrogate);
                    6
                }
            },
            Some(0xDC00..=0xDFFF) => {
                scan.note(Fault::LoneSurrogate);
                6
            }
            Some(_) => 6,
        };
    }
    scan.end = text.len();
}

/// The UTF-16 unit that a `\uXXXX` at this place stands for.
fn escaped_unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Passes over the number that begins at `scan.end`.
fn number(text: &[u8], scan: &mut Scan) {
    let rest = &text[scan.end..];
    let length = run(rest, |b| {
        b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')
    });
    if !fits_numeric(&rest[..length]) {
        scan.note(Fault::NumberOutOfRange);
    }
    scan.end += length;
}

fn run(bytes: &[u8], matches: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|&byte| !matches(byte))
        .unwrap_or(bytes.len())
}

/// `numeric` holds so many digits before the decimal point (a 16-bit weight in units of four digits) ...
const MAX_INTEGER_DIGITS: i64 = 131_072;
/// ... and so many after it (a 14-bit display scale, which counts trailing zeros too).
const MAX_SCALE: i64 = 16_383;
/// From this exponent on its parser gives up, even where the digits are all zero.
const EXPONENT_BOUND: u64 = (i32::MAX / 2) as u64;

/// Whether PostgreSQL's `numeric` takes a JSON number. The rules are those of `numeric_in`: the display scale is
/// the count of fractional digits less the exponent, and the weight is that of the first digit that is not zero.
fn fits_numeric(number: &[u8]) -> bool {
    let exponent_at = number.iter().position(|&byte| matches!(byte, b'e' | b'E'));
    if exponent_at.is_none() && number.len() <= MAX_SCALE as usize {
        return true;
    }
    let (mantissa, exponent) = match exponent_at {
        None => (number, 0),
        Some(at) => match parse_exponent(&number[at + 1..]) {
            None => return false,
            Some(exponent) => (&number[..at], exponent),
        },
    };
    let mantissa = mantissa.strip_prefix(b"-").unwrap_or(mantissa);
    let point = memchr::memchr(b'.', mantissa).unwrap_or(mantissa.len());
    let fraction_digits = mantissa.len().saturating_sub(point + 1) as i64;
    if fraction_digits - exponent > MAX_SCALE {
        return false;
    }
    let Some(first) = mantissa
        .iter()
        .position(|&byte| matches!(byte, b'1'..=b'9'))
    else {
        return true;
    };
    // The exponent of ten of the first digit that is not zero: 0 for the digit before the point.
    let magnitude = point as i64 - first as i64 - i64::from(first < point);
    magnitude + exponent < MAX_INTEGER_DIGITS
}

fn parse_exponent(digits: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(digits).ok()?;
    let exponent: i64 = text.parse().ok()?;
    (exponent.unsigned_abs() < EXPONENT_BOUND).then_some(exponent)
}
