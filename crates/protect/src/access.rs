//! What a call needs before its body is read. Each service has one function that defines it for both its faces. Pure.

use crate::rights::Verb;

/// A call, as its head describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call<'c> {
    /// Over REST.
    Rest {
        /// Upper case; HEAD counts as GET.
        method: &'c str,
        /// As sent, without the query.
        path: &'c str,
    },
    /// Over gRPC.
    Grpc {
        /// `/package.Service/Method`.
        path: &'c str,
    },
}

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Anybody: health.
    Nothing,
    /// Any principal.
    Principal,
    /// A principal with this right, for any name; the name is checked once it is known.
    Right(Verb),
    /// A principal with one of these rights, for any name.
    AnyRight(&'static [Verb]),
}

/// What a call needs and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Who may make it.
    pub need: Need,
    /// Events that are counted at once. 0 if the handler counts them: bulk requests and streams of events.
    pub events: u32,
    /// Whether its answer is a stream, which counts among the caller's open streams.
    pub stream: bool,
}

impl Demand {
    /// Health: open, and free.
    pub const HEALTH: Self = Self {
        need: Need::Nothing,
        events: 0,
        stream: false,
    };
    /// What is not named anywhere: a path that does not exist, reflection. Any principal, so that nobody else learns what
    /// exists.
    pub const OTHER: Self = Self {
        need: Need::Principal,
        events: 0,
        stream: false,
    };

    /// A call of one event.
    pub const fn right(verb: Verb) -> Self {
        Self::of(Need::Right(verb))
    }

    /// A call of one event, with one of several rights.
    pub const fn any_right(verbs: &'static [Verb]) -> Self {
        Self::of(Need::AnyRight(verbs))
    }

    const fn of(need: Need) -> Self {
        Self {
            need,
            events: 1,
            stream: false,
        }
    }

    /// Whose handler counts its events.
    #[must_use]
    pub const fn uncounted(self) -> Self {
        Self { events: 0, ..self }
    }

    /// Whose answer is a stream.
    #[must_use]
    pub const fn streaming(self) -> Self {
        Self {
            stream: true,
            ..self
        }
    }
}

/// What a service's calls need.
pub type Access = fn(Call<'_>) -> Demand;

/// The demand of what every service offers: `/health`, `/metrics`, standard health, reflection; `None` for all else.
pub fn standard(call: Call<'_>) -> Option<Demand> {
    match call {
        // Browsers send a preflight without credentials; it tells nothing but methods and headers.
        Call::Rest {
            method: "OPTIONS", ..
        }
        | Call::Rest {
            path: "/health", ..
        } => Some(Demand::HEALTH),
        Call::Rest {
            path: "/metrics", ..
        } => Some(Demand::right(Verb::MetricsRead).uncounted()),
        Call::Grpc { path } if path.starts_with("/grpc.health.v1.Health/") => Some(Demand::HEALTH),
        _ => None,
    }
}

/// The segments of a path below `/api/v1/`; empty where it is another.
pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix("/api/v1/").unwrap_or_default().split('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_service_offers() {
        let rest = |method, path| standard(Call::Rest { method, path });
        assert_eq!(rest("GET", "/health"), Some(Demand::HEALTH));
        assert_eq!(rest("OPTIONS", "/api/v1/x"), Some(Demand::HEALTH));
        let metrics = rest("GET", "/metrics").expect("known");
        assert_eq!(metrics.need, Need::Right(Verb::MetricsRead));
        for path in ["/metrics/", "/health/x", "/healthy", "/", ""] {
            assert_eq!(rest("GET", path), None, "{path}");
        }
        let grpc = |path| standard(Call::Grpc { path });
        assert_eq!(grpc("/grpc.health.v1.Health/Check"), Some(Demand::HEALTH));
        assert_eq!(grpc("/grpc.health.v1.Healthy/Check"), None);
        assert_eq!(
            grpc("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
            None
        );
    }
}
