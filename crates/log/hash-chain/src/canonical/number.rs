//! Numbers as Python writes what it read.

use std::io::Write;

use super::pass::Pass;
use super::refused::{MAX_INTEGER_DIGITS, Refused};

impl Pass<'_> {
    /// An integer keeps its digits, whatever its size; anything with a fraction or an exponent is a double.
    pub(super) fn number(&mut self) -> Result<(), Refused> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let digits = self.at;
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let integer_digits = self.at - digits;
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            is_integer = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[begin..self.at];
        if !is_integer {
            return self.float(text, begin);
        }
        if integer_digits > MAX_INTEGER_DIGITS {
            return Err(Refused::IntegerTooLong { at: begin });
        }
        // Python's integers have no negative zero.
        let text = if text == b"-0" { b"0" } else { text };
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Refused> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == begin {
            return Err(self.syntax("expected a digit"));
        }
        Ok(())
    }

    fn float(&mut self, text: &[u8], at: usize) -> Result<(), Refused> {
        if is_repr(text) {
            self.out.extend_from_slice(text);
            return Ok(());
        }
        let number: Option<f64> = std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok());
        match number {
            Some(number) if number.is_finite() => {
                write_float(number, self.out);
                Ok(())
            }
            _ => Err(Refused::NumberTooLarge { at }),
        }
    }
}

/// Significant decimal digits that a double always keeps apart (`DBL_DIG` of C).
const EXACT_DIGITS: usize = 15;

/// Whether `text`, a JSON number with a fraction, is certainly what Python writes for the double that it reads as: fixed
/// notation without superfluous zeros, of so few digits that no other text of as few is the same double.
fn is_repr(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    // Too many bytes for few digits, the point included; so no exponent is looked for in vain.
    if digits.len() > EXACT_DIGITS + 1 {
        return false;
    }
    let Some(point) = digits.iter().position(|byte| *byte == b'.') else {
        return false;
    };
    let (whole, fraction) = (&digits[..point], &digits[point + 1..]);
    let ends_well = fraction == b"0" || fraction.last() != Some(&b'0');
    // Below 1e-4 there is an exponent.
    let is_small = whole == b"0" && fraction.starts_with(b"0000");
    ends_well && !is_small && fraction.iter().all(u8::is_ascii_digit)
}

/// Appends `repr(number)`: the shortest digits that read back as the same double, in fixed notation from 1e-4 to below
/// 1e16 and with an exponent of at least two digits elsewhere.
fn write_float(number: f64, out: &mut Vec<u8>) {
    let mut buffer = ryu::Buffer::new();
    // The digits are Python's. The standard library's are not: of two that are equally near it takes the upper, where
    // Python takes the even one (600000000000000.2).
    let mut text = buffer.format_finite(number);
    if let Some(positive) = text.strip_prefix('-') {
        out.push(b'-');
        text = positive;
    }
    if number == 0.0 {
        return out.extend_from_slice(b"0.0");
    }
    // ryu writes 1.5, 0.001, 123.0, 1e16, 1.5e-7.
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [0_u8; 32];
    let mut length = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        digits[length] = digit;
        length += 1;
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let trailing = digits[..length]
        .iter()
        .rev()
        .take_while(|digit| **digit == b'0');
    let digits = &digits[zeros..length - trailing.count()];
    let exponent = exponent.parse::<i32>().unwrap_or(0) + whole.len() as i32 - 1 - zeros as i32;
    write_digits(digits, exponent, out);
}

/// Writes d.ddd times ten to the power of `exponent`. `digits` begins and ends with none that is zero.
fn write_digits(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    match exponent {
        -4..0 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + (-exponent - 1) as usize, b'0');
            out.extend_from_slice(digits);
        }
        0..16 => {
            let places = exponent as usize + 1;
            let (whole, fraction) = digits.split_at(places.min(digits.len()));
            out.extend_from_slice(whole);
            out.resize(out.len() + places - whole.len(), b'0');
            out.push(b'.');
            out.extend_from_slice(if fraction.is_empty() { b"0" } else { fraction });
        }
        _ => {
            let (first, others) = digits.split_at(1);
            out.extend_from_slice(first);
            if !others.is_empty() {
                out.push(b'.');
                out.extend_from_slice(others);
            }
            let sign = if exponent < 0 { '-' } else { '+' };
            // Writing to a vector does not fail.
            let written = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
            debug_assert!(written.is_ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn what_is_taken_as_it_is_is_what_would_be_written(
            text in "-?(0|[1-9][0-9]{0,14})\\.(0{0,5}[0-9]{1,15})",
        ) {
            if is_repr(text.as_bytes()) {
                let mut written = Vec::new();
                write_float(text.parse().unwrap(), &mut written);
                prop_assert_eq!(String::from_utf8(written).unwrap(), text);
            }
        }
    }

    #[test]
    fn only_the_shortest_text_in_fixed_notation_is_taken_as_it_is() {
        for text in [
            "0.0",
            "-0.0",
            "1.5",
            "0.0001",
            "24439.75",
            "-12345678901234.5",
        ] {
            assert!(is_repr(text.as_bytes()), "{text}");
        }
        for text in [
            "1.50",
            "0.00",
            "0.00001",
            "1.5e3",
            "1e5",
            "1.0000000000000001",
        ] {
            assert!(!is_repr(text.as_bytes()), "{text}");
        }
    }
}
