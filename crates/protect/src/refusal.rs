//! Why a call is refused, in words that are the same on both faces.

use domain::Kind;

use crate::rights::Verb;

/// Why a call is refused. Its `Display` is what the client sees: it repeats nothing that the client did not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The call has no credentials.
    #[error("credentials are missing: send a bearer token or a client certificate")]
    NoCredentials,
    /// The credentials belong to no principal, have expired, or were revoked.
    #[error("the credentials are not valid")]
    BadCredentials,
    /// The principal lacks a right, for the name it asked for or at all.
    #[error("the right {verb}{}{} is missing", if name.is_empty() { "" } else { ":" }, shown(name))]
    Missing {
        /// The right's verb.
        verb: Verb,
        /// What the caller named; empty: no name, or every name.
        name: String,
    },
    /// More events or bytes a second than the caller's limit.
    #[error("more than the limit of {limit} {unit} per second: retry after {retry_after_s} s")]
    Rate {
        /// The limit.
        limit: u32,
        /// `events` or `bytes`.
        unit: &'static str,
        /// Seconds until the same call can succeed, at least 1.
        retry_after_s: u32,
    },
    /// One call asks for more than a whole second's allowance: it never fits.
    #[error(
        "one call of {asked} {unit} is more than the limit of {limit} {unit} per second: send less in one call"
    )]
    TooMuchAtOnce {
        /// What the call asks for.
        asked: u64,
        /// The limit.
        limit: u32,
        /// `events` or `bytes`.
        unit: &'static str,
    },
    /// A call on one more connection than the caller may have open.
    #[error(
        "the limit of {limit} open connections is reached: close one, or use those that are open"
    )]
    Connections {
        /// The limit.
        limit: u32,
    },
    /// More open streams than the caller's limit.
    #[error("the limit of {limit} open streams is reached: close one, or retry later")]
    Streams {
        /// The limit.
        limit: u32,
    },
}

/// Longest part of a caller's text that an error repeats, in characters.
const SHOWN_CHARS: usize = 64;

fn shown(name: &str) -> String {
    name.chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

impl Refusal {
    /// A right that is missing for `name`; empty: for all names.
    pub fn missing(verb: Verb, name: &str) -> Self {
        Self::Missing {
            verb,
            name: name.to_owned(),
        }
    }

    /// Decides the HTTP status and the gRPC code.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoCredentials | Self::BadCredentials => Kind::Unauthenticated,
            Self::Missing { .. } => Kind::PermissionDenied,
            Self::Rate { .. }
            | Self::TooMuchAtOnce { .. }
            | Self::Connections { .. }
            | Self::Streams { .. } => Kind::RateLimited,
        }
    }

    /// Seconds after which to try again, for refusals that time can mend.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Rate { retry_after_s, .. } => Some(*retry_after_s),
            Self::TooMuchAtOnce { .. } | Self::Connections { .. } | Self::Streams { .. } => Some(1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_name_the_right() {
        let missing = Refusal::missing(Verb::TopicsProduce, "acme.orders");
        assert_eq!(
            missing.to_string(),
            "the right topics:produce:acme.orders is missing"
        );
        let missing = Refusal::missing(Verb::MetricsRead, "");
        assert_eq!(missing.to_string(), "the right metrics:read is missing");
        let long = Refusal::missing(Verb::ChainsRead, &"\n".repeat(500)).to_string();
        assert!(long.len() < 120 && !long.contains('\n'), "{long}");
    }
}
