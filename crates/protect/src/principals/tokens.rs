//! Bearer tokens. The file and the process know only their SHA-256.

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What tokens made here begin with, so that scanners for leaked secrets can find them.
const PREFIX: &str = "weir_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// The SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of `token`.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// From 64 lower-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        if text.len() != 64 {
            return None;
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: usize| match digits[at] {
                digit @ b'0'..=b'9' => Some(digit - b'0'),
                digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
                _ => None,
            };
            *byte = digit(0)? << 4 | digit(1)?;
        }
        Some(Self(hash))
    }

    /// As 64 lower-case hexadecimal digits.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(...)")
    }
}

/// A new token with 256 random bits, as it goes into a header.
///
/// # Errors
/// The operating system has no random bytes.
pub fn generate() -> std::io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    let random = crate::tls::provider().secure_random;
    let none = |_| std::io::Error::other("no random bytes from the operating system");
    random.fill(&mut bytes).map_err(none)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// The token of an `authorization` header: `Bearer`, whatever its case, a space, and the token.
pub(super) fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Whose token has which hash.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<[u8; 8], Vec<(TokenHash, usize)>>);

impl Tokens {
    pub(super) fn insert(&mut self, hash: TokenHash, index: usize) {
        self.0
            .entry(beginning(hash))
            .or_default()
            .push((hash, index));
    }

    /// The index that was inserted with `token`. What the time of a look-up tells is the beginning of the hash of what the
    /// caller sent, from which nobody can work towards a token; the whole hash is compared in constant time.
    pub(super) fn find(&self, token: &[u8]) -> Option<usize> {
        let hash = TokenHash::of(token);
        let mut found = None;
        for (candidate, index) in self.0.get(&beginning(hash))? {
            if bool::from(candidate.0.ct_eq(&hash.0)) {
                found = Some(*index);
            }
        }
        found
    }
}

fn beginning(hash: TokenHash) -> [u8; 8] {
    let mut beginning = [0; 8];
    beginning.copy_from_slice(&hash.0[..8]);
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_alone() {
        let mut tokens = Tokens::default();
        // printf test | sha256sum
        let of_test = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let hash = TokenHash::from_hex(of_test).expect("hex");
        assert_eq!(hash, TokenHash::of(b"test"));
        assert_eq!(hash.to_hex(), of_test);
        tokens.insert(hash, 3);
        assert_eq!(tokens.find(b"test"), Some(3));
        for wrong in [&b"Test"[..], b"test ", b"", of_test.as_bytes()] {
            assert_eq!(tokens.find(wrong), None);
        }
        let mut twin = hash;
        twin.0[31] ^= 1;
        tokens.insert(twin, 4);
        assert_eq!(
            tokens.find(b"test"),
            Some(3),
            "the same beginning is not enough"
        );
        assert!(!format!("{hash:?}").contains("9f86"));
    }

    #[test]
    fn only_lower_case_hex_of_the_right_length_is_a_hash() {
        for text in [
            "",
            "9f86",
            &"A".repeat(64),
            &"g".repeat(64),
            &"0".repeat(65),
        ] {
            assert_eq!(TokenHash::from_hex(text), None, "{text}");
        }
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer  abc "), Some(&b"abc"[..]));
        for wrong in [
            &b"Basic abc"[..],
            b"Bearer",
            b"Bearer ",
            b"",
            b"abc",
            b"BearerX abc",
        ] {
            assert_eq!(bearer(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn generated_tokens_differ_and_fit_into_a_header() {
        let (one, two) = (generate().expect("random"), generate().expect("random"));
        assert_ne!(one, two);
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert!(one.bytes().all(|b| b.is_ascii_graphic()));
    }
}
