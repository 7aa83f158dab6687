//! JSON as Python's `json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)` writes it: what the hash
//! of an entry is made of.
//!
//! One pass from text to text, without a tree: checked, escaped and with numbers in Python's forms as it goes. It is in the
//! hot path of append and verify.
//!
//! - `refused`: what is no data of the log
//! - `pass`: the pass: values, arrays, objects and the order of their keys
//! - `number`: integers exactly, floats as Python's `repr`
//! - `string`: strings in ASCII; `escapes`: their escapes, and the order of keys by code point

mod escapes;
mod number;
mod pass;
mod refused;
mod string;

pub(super) use escapes::write_char;

pub use pass::{Found, KeyOrder};
pub use refused::{MAX_INTEGER_DIGITS, MAX_NESTING, Refused};

use pass::Pass;

/// Appends the canonical form of the JSON value `text` to `out`, without spaces, in ASCII. `out` may hold a part of the
/// value when it is refused.
///
/// # Errors
/// `text` is not one JSON value, or holds what the log does not take.
pub fn write(text: &[u8], order: KeyOrder, out: &mut Vec<u8>) -> Result<Found, Refused> {
    Pass::new(text, order, out).whole()
}

#[cfg(test)]
#[path = "canonical/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "canonical/python_tests.rs"]
mod python_tests;
