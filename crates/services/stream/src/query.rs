//! What a request for server-sent events asks for: the query and the header `Last-Event-ID`. Pure.

use domain::{Invalid, Subscription, SubscriptionDraft};

/// Longest part of a caller's text that an error message repeats, in characters.
const SHOWN_CHARS: usize = 64;

const LAST_EVENT_ID: &str = "Last-Event-ID";

/// The subscription that `query` and the values of the header ask for.
///
/// # Errors
/// The first fault: an unknown or repeated parameter or one that does not decode, else a value that is wrong.
pub(crate) fn subscription<'a>(
    query: &str,
    last_event_ids: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Subscription, Invalid> {
    let mut parameters: [(&'static str, Option<String>); 4] =
        ["since", "rate", "account", "limit"].map(|name| (name, None));
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let known = decode(name).ok().and_then(|name| {
            parameters
                .iter_mut()
                .find(|(parameter, _)| *parameter == name)
        });
        let Some((name, present)) = known else {
            let shown: String = name.chars().take(SHOWN_CHARS).collect();
            return Err(Invalid::new(shown, "is no query parameter of this path"));
        };
        let value = decode(value).map_err(|problem| Invalid::new(*name, problem))?;
        if present.replace(value).is_some() {
            return Err(Invalid::new(*name, "must be given once"));
        }
    }
    let [since, rate, account, limit] = parameters.map(|(_, value)| value);
    // The plus of an offset, not encoded, has become a space, which no date has.
    let since = since.unwrap_or_default().replace(' ', "+");
    // What is no number is as wrong as a negative one.
    let rate = rate.map_or(0, |rate| whole(&rate).unwrap_or(-1));
    let limit = limit.map_or(Ok(0), |limit| {
        let problem = format!("must be a whole number from 0 to {}", u64::MAX);
        whole(&limit).ok_or_else(|| Invalid::new("limit", problem))
    });
    let after = last_event_id(last_event_ids);
    // Faults are told in the order of the parameters, which is that of the other face.
    let subscription = Subscription::new(SubscriptionDraft {
        since: ("since", since),
        rate: ("rate", rate),
        account: ("account", account.unwrap_or_default()),
        after: after.clone().unwrap_or_default(),
        limit: limit.clone().unwrap_or_default(),
    })?;
    limit?;
    after?;
    Ok(subscription)
}

/// An empty header is none: browsers have no event to go on after.
fn last_event_id<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<u64>, Invalid> {
    let mut values = values.into_iter();
    let value = values.next().unwrap_or_default();
    if values.next().is_some() {
        return Err(Invalid::new(LAST_EVENT_ID, "must be given once"));
    }
    if value.is_empty() {
        return Ok(None);
    }
    let sequence = std::str::from_utf8(value).ok().and_then(whole);
    let problem = "must be the sequence of an event, a whole number from 0";
    sequence
        .map(Some)
        .ok_or_else(|| Invalid::new(LAST_EVENT_ID, problem))
}

/// Digits alone: the parser would take a sign too.
fn whole<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Decodes as forms are encoded: percent, and `+` for a space.
fn decode(text: &str) -> Result<String, &'static str> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let digits = digit().zip(digit());
                let (high, low) = digits.ok_or("has a % without two hexadecimal digits")?;
                u8::try_from(high << 4 | low).unwrap_or_default()
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| "is not UTF-8")
}

#[cfg(test)]
mod tests {
    use domain::{Start, Timestamp};

    use super::*;

    fn parse(query: &str) -> Result<Subscription, String> {
        subscription(query, []).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn all_that_may_be_asked_for() {
        let asked =
            parse("since=2024-01-15T10:30:00%2B01:00&rate=5&account=0.0.1&limit=7").expect("valid");
        let since = Timestamp::from_micros(1_705_311_000_000_000);
        assert_eq!(asked.start(), Start::Since(since));
        assert_eq!(asked.rate().map(|rate| rate.get()), Some(5));
        assert_eq!(asked.account().map(|id| id.as_str()), Some("0.0.1"));
        assert_eq!(asked.limit().map(|limit| limit.get()), Some(7));
        assert_eq!(
            parse("since=2024-01-15T10:30:00+01:00")
                .expect("valid")
                .start(),
            Start::Since(since)
        );
        let none = parse("&rate=0&limit=0&account=&since=&").expect("valid");
        assert_eq!(none.start(), Start::Live);
        assert_eq!((none.rate(), none.limit()), (None, None));
        assert_eq!(none.account(), None);
        assert_eq!(
            parse("%61ccount=a%2Fb+c")
                .expect("valid")
                .account()
                .map(|id| id.as_str()),
            Some("a/b c")
        );
    }

    #[test]
    fn faults_are_named() {
        for (query, message) in [
            ("sinse=1", "sinse is no query parameter of this path"),
            (
                "after_sequence=1",
                "after_sequence is no query parameter of this path",
            ),
            ("rate=1&rate=1", "rate must be given once"),
            (
                "rate=-1",
                "rate must be a whole number from 0 to 2147483647",
            ),
            (
                "rate=2147483648",
                "rate must be a whole number from 0 to 2147483647",
            ),
            (
                "rate=1.5",
                "rate must be a whole number from 0 to 2147483647",
            ),
            ("rate=", "rate must be a whole number from 0 to 2147483647"),
            (
                "limit=%2B5",
                "limit must be a whole number from 0 to 18446744073709551615",
            ),
            (
                "limit=18446744073709551616",
                "limit must be a whole number from 0 to 18446744073709551615",
            ),
            ("account=%00", "account must not hold NUL characters"),
            ("account=%FF", "account is not UTF-8"),
            ("since=%2", "since has a % without two hexadecimal digits"),
            (
                "since=1705314600000",
                "since must be an RFC 3339 date with Z or an offset, such as 2024-01-15T10:30:00Z",
            ),
            (
                "since=2024-01-15T10:30:00",
                "since must be an RFC 3339 date with Z or an offset, such as 2024-01-15T10:30:00Z",
            ),
        ] {
            let told = parse(query).expect_err(query);
            assert_eq!(told.split(' ').next(), message.split(' ').next(), "{query}");
            if !query.starts_with("account=%00") {
                assert_eq!(told, message, "{query}");
            }
        }
    }

    #[test]
    fn the_last_event_wins_over_since() {
        let with = |values: &[&'static str]| {
            subscription(
                "since=2024-01-15T10:30:00Z",
                values.iter().map(|value| value.as_bytes()),
            )
        };
        assert_eq!(with(&["17"]).expect("valid").start(), Start::After(17));
        assert_eq!(with(&["0"]).expect("valid").start(), Start::After(0));
        assert!(matches!(
            with(&[""]).expect("valid").start(),
            Start::Since(_)
        ));
        for values in [&["x"][..], &["-1"], &["1.0"], &["1", "2"]] {
            let told = with(values).expect_err("a fault").to_string();
            assert!(told.starts_with("Last-Event-ID "), "{told}");
        }
        let both = subscription("since=x", [&b"1"[..]]).expect_err("a fault");
        assert_eq!(both.path(), "since", "what is not needed is checked too");
    }
}
