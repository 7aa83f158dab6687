//! Strings in ASCII.

use super::escapes::{hex_unit, write_char};
use super::pass::Pass;
use super::refused::Refused;

/// Which bytes stand in a string as they are: printable ASCII but `"` and `\`.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte <= 0x7e {
        plain[byte] = byte != b'"' as usize && byte != b'\\' as usize;
        byte += 1;
    }
    plain
};

impl Pass<'_> {
    /// The string whose quotation mark is next.
    pub(super) fn string(&mut self) -> Result<(), Refused> {
        self.take(b'"');
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .iter()
                .position(|byte| !PLAIN[usize::from(*byte)])
                .unwrap_or(rest.len());
            self.out.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.take(b'"');
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(0x7f) => {
                    self.at += 1;
                    write_char('\x7f', self.out);
                }
                Some(0x80..) => self.beyond_ascii()?,
                Some(_) => return Err(self.syntax("a control character in a string")),
                None => return Err(self.syntax("a string does not end")),
            }
        }
    }

    fn beyond_ascii(&mut self) -> Result<(), Refused> {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
        let Ok(text) = std::str::from_utf8(&rest[..length]) else {
            return Err(self.syntax("no UTF-8"));
        };
        for char in text.chars() {
            write_char(char, self.out);
        }
        self.at += length;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Refused> {
        let begin = self.at;
        let char = match self.text.get(begin + 1) {
            Some(b'u') => return self.unicode_escape(),
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\x08',
            Some(b'f') => '\x0c',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(self.syntax("no such escape")),
        };
        self.at += 2;
        write_char(char, self.out);
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<(), Refused> {
        let at = self.at;
        let unit = self.unit(at)?;
        self.at += 6;
        let code = match unit {
            0xd800..0xdc00 if self.text[self.at..].starts_with(b"\\u") => {
                let low = self.unit(self.at)?;
                if !(0xdc00..0xe000).contains(&low) {
                    return Err(Refused::LoneSurrogate { at });
                }
                self.at += 6;
                0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
            }
            unit => unit,
        };
        let char = char::from_u32(code).ok_or(Refused::LoneSurrogate { at })?;
        write_char(char, self.out);
        Ok(())
    }

    /// The number in the escape `\uXXXX` at `at`.
    fn unit(&self, at: usize) -> Result<u32, Refused> {
        self.text
            .get(at + 2..at + 6)
            .and_then(hex_unit)
            .ok_or(self.syntax("four hexadecimal digits must follow \\u"))
    }
}
