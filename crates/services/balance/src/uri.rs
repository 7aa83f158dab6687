//! Account ids in paths and queries: percent-decoding and the parameter `ids`. Pure.

use domain::Invalid;

/// Longest part of a caller's text that an error message repeats, in characters.
const SHOWN_CHARS: usize = 64;

/// A segment of a path, decoded; `index` counts from 1, since the path begins with a slash. An absent one is empty.
///
/// # Errors
/// Percent-encoding that is broken or gives no UTF-8.
pub(crate) fn path_segment(path: &str, index: usize) -> Result<String, Invalid> {
    let segment = path.split('/').nth(index).unwrap_or_default();
    decode(segment, false).map_err(|problem| Invalid::new("id", problem))
}

/// Checks that there are no parameters.
///
/// # Errors
/// The first one's name.
pub(crate) fn no_parameters(query: &str) -> Result<(), Invalid> {
    match pairs(query).next() {
        None => Ok(()),
        Some((name, _)) => Err(unknown(name)),
    }
}

/// The ids of `ids=a,b,c`, in that order; none where the parameter is absent or empty. A comma separates, encoded or
/// not, since many clients encode it.
///
/// # Errors
/// Another parameter, `ids` given twice, percent-encoding that is broken or gives no UTF-8.
pub(crate) fn ids(query: &str) -> Result<Vec<String>, Invalid> {
    let mut value = None;
    for (name, text) in pairs(query) {
        if decode(name, true).as_deref() != Ok("ids") {
            return Err(unknown(name));
        }
        if value.replace(text).is_some() {
            return Err(Invalid::new("ids", "must be given once"));
        }
    }
    let list =
        decode(value.unwrap_or_default(), true).map_err(|problem| Invalid::new("ids", problem))?;
    if list.is_empty() {
        return Ok(Vec::new());
    }
    Ok(list.split(',').map(str::to_owned).collect())
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn unknown(name: &str) -> Invalid {
    let name: String = name.chars().take(SHOWN_CHARS).collect();
    Invalid::new(name, "is no query parameter of this path")
}

/// Percent-decodes; in queries `+` is a space.
fn decode(text: &str, plus_is_space: bool) -> Result<String, &'static str> {
    let encoded = |byte| byte == b'%' || (plus_is_space && byte == b'+');
    if !text.bytes().any(encoded) {
        return Ok(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = bytes
                    .next()
                    .and_then(digit)
                    .zip(bytes.next().and_then(digit));
                let (high, low) = digits.ok_or("has a % without two hexadecimal digits")?;
                high << 4 | low
            }
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| "is not UTF-8")
}

fn digit(character: u8) -> Option<u8> {
    char::from(character)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem<T: std::fmt::Debug>(result: Result<T, Invalid>) -> String {
        result.expect_err("a fault").to_string()
    }

    #[test]
    fn segments_are_decoded_once() {
        for (path, id) in [
            ("/api/v1/accounts/0.0.100000/balance", "0.0.100000"),
            ("/api/v1/accounts/a%2Fb%20c/balance", "a/b c"),
            ("/api/v1/accounts/a+b/balance", "a+b"),
            ("/api/v1/accounts/%2541/balance", "%41"),
            ("/api/v1/accounts/%C3%BC/balance", "ü"),
            ("/api/v1/accounts//balance", ""),
            ("/api", ""),
        ] {
            assert_eq!(path_segment(path, 4).as_deref(), Ok(id), "{path}");
        }
        for broken in ["%", "%4", "%zz", "a%4 ", "%C3%", "%+1"] {
            assert_eq!(
                problem(path_segment(broken, 0)),
                "id has a % without two hexadecimal digits",
                "{broken}"
            );
        }
        assert_eq!(problem(path_segment("%FF", 0)), "id is not UTF-8");
    }

    #[test]
    fn ids_are_split_after_decoding() {
        for (query, expected) in [
            ("", &[][..]),
            ("ids=", &[]),
            ("ids", &[]),
            ("ids=a", &["a"]),
            ("ids=a,b", &["a", "b"]),
            ("&ids=a%2Cb%2cc&", &["a", "b", "c"]),
            ("ids=a+b%2B,%26", &["a b+", "&"]),
            ("ids=,a,,", &["", "a", "", ""]),
            ("ids=a=b", &["a=b"]),
            ("%69ds=a", &["a"]),
        ] {
            let expected: Vec<String> = expected.iter().map(|&id| id.to_owned()).collect();
            assert_eq!(ids(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn parameters_that_are_wrong_are_named() {
        for (query, message) in [
            ("ids=a&limit=1", "limit is no query parameter of this path"),
            ("id=a", "id is no query parameter of this path"),
            ("=a", " is no query parameter of this path"),
            ("ids=a&ids=b", "ids must be given once"),
            ("ids=%F", "ids has a % without two hexadecimal digits"),
            ("ids=%80", "ids is not UTF-8"),
        ] {
            assert_eq!(problem(ids(query)), message, "{query}");
        }
        assert_eq!(no_parameters("&"), Ok(()));
        assert!(problem(no_parameters("fresh=1")).starts_with("fresh "));
        assert!(problem(no_parameters(&"x".repeat(1000))).len() < 200);
    }
}
