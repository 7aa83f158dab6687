//! Query parameters and segments of paths. Pure.

use std::time::Duration;

use domain::Invalid;
use percent_encoding::percent_decode_str;

/// Longest wait for records, in milliseconds.
const MAX_WAIT_MS: i64 = 60_000;
/// Of a parameter that is not known, so much is shown.
const SHOWN_CHARS: usize = 100;

/// What `GET .../records` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetch {
    /// From the first record on where it is left out.
    pub(super) offset: i64,
    pub(super) max_bytes: i64,
    pub(super) max_wait_ms: i64,
}

/// Checks that there are no parameters.
pub(super) fn none(query: &str) -> Result<(), Invalid> {
    match pairs(query).next() {
        None => Ok(()),
        Some((name, _)) => Err(unknown(name)),
    }
}

/// `offset`, `maxBytes`, `maxWaitMs`, each at most once.
pub(super) fn fetch(query: &str) -> Result<Fetch, Invalid> {
    let (mut offset, mut max_bytes, mut max_wait_ms) = (None, None, None);
    for (name, value) in pairs(query) {
        let (name, place) = match name {
            "offset" => ("offset", &mut offset),
            "maxBytes" => ("maxBytes", &mut max_bytes),
            "maxWaitMs" => ("maxWaitMs", &mut max_wait_ms),
            _ => return Err(unknown(name)),
        };
        // An empty one counts as left out.
        if !value.is_empty() && place.replace(number(name, value)?).is_some() {
            return Err(Invalid::new(name, "must be given once"));
        }
    }
    Ok(Fetch {
        offset: offset.unwrap_or(-1),
        max_bytes: max_bytes.unwrap_or(0),
        max_wait_ms: max_wait_ms.unwrap_or(0),
    })
}

/// A whole number.
pub(super) fn number(name: &'static str, text: &str) -> Result<i64, Invalid> {
    text.parse()
        .map_err(|_| Invalid::new(name, "must be a whole number"))
}

/// The time that a client is willing to wait.
pub(super) fn wait(max_wait_ms: i64) -> Result<Duration, Invalid> {
    match u64::try_from(max_wait_ms) {
        Ok(wait) if max_wait_ms <= MAX_WAIT_MS => Ok(Duration::from_millis(wait)),
        _ => Err(Invalid::new("maxWaitMs", "must be from 0 to 60000")),
    }
}

/// Percent-decodes; `name` says what it is.
pub(super) fn decode(name: &'static str, text: &str) -> Result<String, Invalid> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| Invalid::new(name, "is not UTF-8"))
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

fn unknown(name: &str) -> Invalid {
    let name: String = name.chars().take(SHOWN_CHARS).collect();
    Invalid::new(name, "is no query parameter of this path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbers_and_known() {
        let asked = fetch("offset=-2&maxBytes=10&maxWaitMs=5");
        let expected = Fetch {
            offset: -2,
            max_bytes: 10,
            max_wait_ms: 5,
        };
        assert_eq!(asked, Ok(expected));
        let nothing = Fetch {
            offset: -1,
            max_bytes: 0,
            max_wait_ms: 0,
        };
        assert_eq!(fetch("offset=&&maxBytes"), Ok(nothing));
        for (query, problem) in [
            ("offset=x", "offset must be a whole number"),
            ("offset=1&offset=2", "offset must be given once"),
            ("limit=1", "limit is no query parameter of this path"),
        ] {
            assert_eq!(fetch(query).expect_err(query).to_string(), problem);
        }
        wait(60_001).expect_err("too long");
        wait(-1).expect_err("negative");
        assert_eq!(decode("the path", "a%2Fb%C3%BC").as_deref(), Ok("a/bü"));
        decode("the path", "%ff").expect_err("no UTF-8");
    }
}
