//! One pass over a JSON value: whether it is well-formed, where it ends, and what in it `jsonb` would refuse.
//! The hot path of ingestion, hence bytes, no tree, and no allocation up to 64 levels of nesting.
//!
//! Syntax is that of RFC 8259, as `serde_json` reads it; a property test holds the two together.

use crate::{
    fault::{Fault, MAX_NESTING},
    numeric,
};

/// The text is no JSON. Where and why is found by `serde_json` afterwards, off the hot path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What a pass over a value found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Offset of the first byte after the value.
    pub(crate) end: usize,
    /// The first fault in document order.
    pub(crate) fault: Option<Fault>,
    /// Whether an escape sequence is in any of its strings.
    pub(crate) escaped: bool,
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
pub(crate) fn value(text: &[u8], start: usize) -> Result<Scan, Malformed> {
    let mut scan = Scan {
        end: start,
        fault: None,
        escaped: false,
        lone_surrogate: false,
    };
    let mut nesting = Nesting::default();
    loop {
        match next(text, &mut scan.end)? {
            b'"' => string(text, &mut scan)?,
            opening @ (b'{' | b'[') => {
                scan.end += 1;
                nesting.push(opening == b'{');
                if nesting.depth > MAX_NESTING {
                    scan.note(Fault::TooDeep);
                }
                let closing = if opening == b'{' { b'}' } else { b']' };
                if next(text, &mut scan.end)? != closing {
                    if opening == b'{' {
                        key(text, &mut scan)?;
                    }
                    continue;
                }
                scan.end += 1;
                nesting.pop();
            }
            b'-' | b'0'..=b'9' => number(text, &mut scan)?,
            b't' => literal(text, &mut scan, b"true")?,
            b'f' => literal(text, &mut scan, b"false")?,
            b'n' => literal(text, &mut scan, b"null")?,
            _ => return Err(Malformed),
        }
        // After a value: the end of any number of containers, then the next element, if any.
        loop {
            if nesting.depth == 0 {
                return Ok(scan);
            }
            let in_object = nesting.in_object();
            let byte = next(text, &mut scan.end)?;
            scan.end += 1;
            match (byte, in_object) {
                (b'}', true) | (b']', false) => nesting.pop(),
                (b',', true) => {
                    key(text, &mut scan)?;
                    break;
                }
                (b',', false) => break,
                _ => return Err(Malformed),
            }
        }
    }
}

/// The next byte that is no white space; `at` is moved there.
pub(crate) fn next(text: &[u8], at: &mut usize) -> Result<u8, Malformed> {
    loop {
        match text.get(*at) {
            Some(b' ' | b'\t' | b'\n' | b'\r') => *at += 1,
            Some(&byte) => return Ok(byte),
            None => return Err(Malformed),
        }
    }
}

/// Passes over a key and the colon after it.
fn key(text: &[u8], scan: &mut Scan) -> Result<(), Malformed> {
    if next(text, &mut scan.end)? != b'"' {
        return Err(Malformed);
    }
    string(text, scan)?;
    if next(text, &mut scan.end)? != b':' {
        return Err(Malformed);
    }
    scan.end += 1;
    Ok(())
}

fn literal(text: &[u8], scan: &mut Scan, literal: &[u8]) -> Result<(), Malformed> {
    if !text[scan.end..].starts_with(literal) {
        return Err(Malformed);
    }
    scan.end += literal.len();
    Ok(())
}

/// Passes over the string that begins at `scan.end`.
fn string(text: &[u8], scan: &mut Scan) -> Result<(), Malformed> {
    let mut at = scan.end + 1;
    loop {
        at = special(text, at);
        match text.get(at) {
            Some(b'"') => {
                scan.end = at + 1;
                return Ok(());
            }
            Some(b'\\') => {
                scan.escaped = true;
                at += escape(text, at, scan)?;
            }
            // A control character, or the end of the text.
            _ => return Err(Malformed),
        }
    }
}

/// Offset of the first quote, backslash or control character from `at` on; eight bytes at a time, since most
/// strings are too short for `memchr` to be worth its call.
fn special(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        // A byte of a difference has its high bit set where it is less; bits above the first hit may be false,
        // the first is not. https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord
        let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
        let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let control = word.wrapping_sub(ONES * 0x20);
        // Bytes beyond ASCII are none of the three.
        let hits = (quote | backslash | control) & !word & HIGH;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while text
        .get(at)
        .is_some_and(|byte| !matches!(byte, b'"' | b'\\' | ..0x20))
    {
        at += 1;
    }
    at
}

/// The length of the escape sequence at `at`, a pair of surrogates being one.
fn escape(text: &[u8], at: usize, scan: &mut Scan) -> Result<usize, Malformed> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(2),
        Some(b'u') => {}
        _ => return Err(Malformed),
    }
    match unit(text, at).ok_or(Malformed)? {
        0 => scan.note(Fault::Nul),
        0xD800..=0xDBFF => match unit(text, at + 6) {
            Some(0xDC00..=0xDFFF) => return Ok(12),
            _ => scan.note(Fault::LoneSurrogate),
        },
        0xDC00..=0xDFFF => scan.note(Fault::LoneSurrogate),
        _ => {}
    }
    Ok(6)
}

/// The UTF-16 unit that a `\uXXXX` at `at` stands for.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(br"\u")?;
    digits.iter().try_fold(0, |unit, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(unit << 4 | digit as u16)
    })
}

/// Passes over the number that begins at `scan.end`.
fn number(text: &[u8], scan: &mut Scan) -> Result<(), Malformed> {
    let start = scan.end;
    let mut at = start + usize::from(text[start] == b'-');
    let integer = at;
    at = digits(text, at)?;
    if text[integer] == b'0' && at > integer + 1 {
        return Err(Malformed);
    }
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    let mantissa = at;
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        at = digits(
            text,
            at + usize::from(matches!(text.get(at), Some(b'+' | b'-'))),
        )?;
    }
    // Without an exponent, a short number always fits.
    let short = at == mantissa && at - start <= numeric::MAX_SCALE as usize;
    if !short && !numeric::fits(&text[integer..mantissa], text.get(mantissa + 1..at)) {
        scan.note(Fault::NumberOutOfRange);
    }
    scan.end = at;
    Ok(())
}

/// Offset after one or more digits.
fn digits(text: &[u8], start: usize) -> Result<usize, Malformed> {
    let mut at = start;
    while text.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    if at == start { Err(Malformed) } else { Ok(at) }
}

/// Which containers are open: a bit each, the innermost 64 of them in a register.
#[derive(Default)]
struct Nesting {
    depth: usize,
    innermost: u64,
    outer: Vec<u64>,
}

impl Nesting {
    fn push(&mut self, is_object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.outer.push(self.innermost);
        }
        self.innermost = self.innermost << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.innermost >>= 1;
        if self.depth.is_multiple_of(64) {
            self.innermost = self.outer.pop().unwrap_or_default();
        }
    }

    fn in_object(&self) -> bool {
        self.innermost & 1 == 1
    }
}
