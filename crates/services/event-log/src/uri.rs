//! Paths and queries of the REST faces: percent-decoding, known parameters, whole numbers. Pure.

use std::fmt::Display;

use domain::Kind;
use percent_encoding::percent_decode_str;
use runtime::status::Failure;

/// Longest part of a caller's text that an error message repeats, in characters.
const SHOWN_CHARS: usize = 64;

/// A segment of a path, decoded; `index` counts from 1, since the path begins with a slash. An absent one is empty. `what`
/// is its name in messages.
///
/// # Errors
/// Percent-encoding that gives no UTF-8.
pub(crate) fn path_segment(
    what: &'static str,
    path: &str,
    index: usize,
) -> Result<String, Failure> {
    decoded(what, path.split('/').nth(index).unwrap_or_default())
}

/// The values of the parameters `known`, in that order.
///
/// # Errors
/// Another parameter, one that is given twice, percent-encoding that gives no UTF-8.
pub(crate) fn parameters<const N: usize>(
    query: &str,
    known: [&'static str; N],
) -> Result<[Option<String>; N], Failure> {
    let mut values = [const { None }; N];
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(place) = known.iter().position(|known| *known == name) else {
            let shown: String = name.chars().take(SHOWN_CHARS).collect();
            return Err(invalid(shown, "is no query parameter of this path"));
        };
        let value = decoded(known[place], &value.replace('+', " "))?;
        if values[place].replace(value).is_some() {
            return Err(invalid(known[place], "must be given once"));
        }
    }
    Ok(values)
}

/// A whole number, in digits alone.
///
/// # Errors
/// It is none, or beyond 64 bits.
pub(crate) fn whole(what: &'static str, text: &str) -> Result<u64, Failure> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| {
        invalid(
            what,
            format!("must be a whole number from 0 to {}", u64::MAX),
        )
    })
}

fn invalid(what: impl Display, problem: impl Display) -> Failure {
    Failure::new(Kind::InvalidArgument, format!("{what} {problem}"))
}

fn decoded(what: &'static str, text: &str) -> Result<String, Failure> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| invalid(what, "must be UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_known_given_once_and_decoded() {
        let parse = |query| {
            parameters(query, ["start", "limit"]).map_err(|failure: Failure| failure.to_string())
        };
        let given = |text: &str| Some(text.to_owned());
        assert_eq!(parse(""), Ok([None, None]));
        assert_eq!(parse("limit=%31&start=a+b"), Ok([given("a b"), given("1")]));
        for (query, message) in [
            ("begin=1", "begin is no query parameter of this path"),
            ("limit=1&limit=1", "limit must be given once"),
            ("limit=%ff", "limit must be UTF-8"),
        ] {
            assert_eq!(parse(query), Err(message.to_owned()));
        }
    }

    #[test]
    fn segments_and_numbers_are_read_exactly() {
        let segment = |path| path_segment("partition", path, 2);
        assert_eq!(segment("/logs/a%2Fb%20c"), Ok("a/b c".to_owned()));
        assert_eq!(segment("/logs"), Ok(String::new()));
        assert!(segment("/logs/%ff").is_err());
        assert_eq!(whole("start", "18446744073709551615"), Ok(u64::MAX));
        for text in ["", "-1", "+1", "1.0", "18446744073709551616", " 1"] {
            assert!(whole("start", text).is_err(), "{text}");
        }
    }
}
