//! `grpc-timeout`: how long a client waits for a call.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tonic::Status;

const NAME: &str = "grpc-timeout";
/// Digits that the value may have (gRPC over HTTP/2, "Timeout").
const MOST_DIGITS: usize = 8;

/// When the client stops waiting for a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    /// How much earlier the deadline may pass at the client than here: the client began to count earlier.
    slack: Duration,
}

impl Deadline {
    /// The deadline in the call's head; `None` if there is none, or if it cannot be parsed.
    pub(super) fn of(headers: &HeaderMap, now: Instant) -> Option<Self> {
        let timeout = parse(headers.get(NAME)?)?;
        Some(Self {
            at: now.checked_add(timeout)?,
            slack: timeout / 16 + Duration::from_millis(2),
        })
    }

    /// The moment of the deadline.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Whether a client that gives up now does so because of the deadline.
    pub(super) fn explains_end_at(&self, now: Instant) -> bool {
        now + self.slack >= self.at
    }

    /// What the client is told, if it still listens.
    pub(super) fn status() -> Status {
        Status::deadline_exceeded("the deadline of the call has passed")
    }
}

fn parse(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty()
        || digits.len() > MOST_DIGITS
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 60 * 60),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_nothing_else() {
        for (text, nanoseconds) in [
            ("1H", 3_600_000_000_000),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("300m", 300_000_000),
            ("5u", 5000),
            ("0n", 0),
            ("99999999n", 99_999_999),
        ] {
            let value = HeaderValue::from_static(text);
            assert_eq!(
                parse(&value),
                Some(Duration::from_nanos(nanoseconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "S",
            "1",
            "1s",
            "+1S",
            "-1S",
            "1.5S",
            "123456789n",
            "1 S",
        ] {
            assert_eq!(parse(&HeaderValue::from_static(text)), None, "{text}");
        }
    }

    #[test]
    fn a_client_that_gives_up_at_its_deadline_is_told_from_one_that_cancels() {
        let now = Instant::now();
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_static("300m"));
        let deadline = Deadline::of(&headers, now).expect("a deadline");
        for (after_ms, explains) in [(0, false), (200, false), (295, true), (400, true)] {
            let end = now + Duration::from_millis(after_ms);
            assert_eq!(deadline.explains_end_at(end), explains, "{after_ms}");
        }
    }
}
