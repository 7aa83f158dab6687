//! JSON's escapes as Python writes them, and the order of keys that have some.

use std::cmp::Ordering;

/// The UTF-16 unit of four hexadecimal digits.
pub(super) fn hex_unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// Appends `char` as Python's `json.dumps` writes it.
pub(crate) fn write_char(char: char, out: &mut Vec<u8>) {
    let short = match char {
        '"' => b'"',
        '\\' => b'\\',
        '\x08' => b'b',
        '\x0c' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        ' '..='~' => return out.push(char as u8),
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            for unit in char.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| HEX[usize::from(*unit >> shift & 0xf)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The order of two keys, given as [`write_char`] wrote them.
pub(super) fn compare_escaped(one: &[u8], other: &[u8]) -> Ordering {
    code_points(one).cmp(code_points(other))
}

fn code_points(mut text: &[u8]) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let (unit, rest) = next_unit(text)?;
        text = rest;
        if (0xd800..0xdc00).contains(&unit)
            && let Some((low, rest)) = next_unit(text)
        {
            text = rest;
            return Some(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
        }
        Some(unit)
    })
}

fn next_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (unit, length) = match text {
        [b'\\', b'u', digits @ ..] => (hex_unit(digits.get(..4)?)?, 6),
        [b'\\', b'b', ..] => (0x08, 2),
        [b'\\', b'f', ..] => (0x0c, 2),
        [b'\\', b'n', ..] => (0x0a, 2),
        [b'\\', b'r', ..] => (0x0d, 2),
        [b'\\', b't', ..] => (0x09, 2),
        [b'\\', other, ..] => (u32::from(*other), 2),
        [byte, ..] => (u32::from(*byte), 1),
        [] => return None,
    };
    Some((unit, &text[length..]))
}
