//! What is measured: the scenarios, what each needs from the lab, and the words for its figures.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of work. Only targets of one scenario are compared with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Events are stored.
    Ingest,
    /// Balances are read.
    Balance,
    /// Transactions are streamed.
    Stream,
    /// Records are appended to a log.
    Log,
    /// Requests of a user's own `weir.toml` are answered.
    Own,
}

/// What a target finds in the application database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// An empty table, into which it writes.
    Empty,
    /// The accounts and transactions of `weir seed`, which it reads.
    Seeded,
    /// It uses no database.
    None,
}

/// The words for a scenario's figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// What is counted, e.g. `event`.
    pub unit: &'static str,
    /// What the target does with it, e.g. `stored`.
    pub did: &'static str,
    /// What the generator counts, e.g. `acknowledged`.
    pub counted: &'static str,
    /// What the audit compares that with, e.g. `stored`.
    pub found: &'static str,
    /// What a success is, in half a sentence.
    pub success: &'static str,
    /// What stands behind each success of a smoke run, in half a sentence.
    pub proof: &'static str,
    /// What a latency is that of.
    pub latency: &'static str,
}

impl Terms {
    /// The unit with its article, e.g. `an event`.
    pub fn one(&self) -> String {
        let article = if self.unit.starts_with('e') {
            "an"
        } else {
            "a"
        };
        format!("{article} {}", self.unit)
    }

    /// What a rate counts, e.g. `Events stored a second, each acknowledged after its commit`.
    pub fn rate(&self) -> String {
        let (first, rest) = self.unit.split_at(1);
        let unit = first.to_uppercase() + rest;
        format!("{unit}s {} a second, {}", self.did, self.success)
    }
}

impl Scenario {
    /// All of them, in the order in which a session runs them.
    pub const ALL: [Self; 5] = [
        Self::Ingest,
        Self::Balance,
        Self::Stream,
        Self::Log,
        Self::Own,
    ];

    /// As `targets.toml` and the metrics database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Balance => "balance",
            Self::Stream => "stream",
            Self::Log => "log",
            Self::Own => "own",
        }
    }

    /// The scenario of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// Whether there is more than one size of what is sent, or, in a user's own file, more than one mix of requests. Where
    /// there is not, it is called `default`.
    pub fn has_payloads(self) -> bool {
        matches!(self, Self::Ingest | Self::Own)
    }

    /// What a target finds in the application database.
    pub fn data(self) -> Data {
        match self {
            Self::Ingest => Data::Empty,
            Self::Balance | Self::Stream => Data::Seeded,
            Self::Log | Self::Own => Data::None,
        }
    }

    /// The words for its figures.
    pub fn terms(self) -> Terms {
        match self {
            Self::Ingest => Terms {
                unit: "event",
                did: "stored",
                counted: "acknowledged",
                found: "stored",
                success: "each acknowledged after its commit",
                proof: "each event found in the database afterwards",
                latency: "of an event",
            },
            Self::Balance => Terms {
                unit: "balance",
                did: "answered",
                counted: "answered",
                found: "counted by the service",
                success: "each from a database read that began after the request",
                proof: "counted by the service, and a sample of accounts compared with the table afterwards",
                latency: "of a balance",
            },
            Self::Stream => Terms {
                unit: "event",
                did: "streamed",
                counted: "received",
                found: "sent by the service",
                success: "those of replayed streams that were received to their end",
                proof: "its events received once and in order, as many as the service sent",
                latency: "of a whole replayed stream, from its opening to its end (driver k6), or of one event on its way (driver benchmark)",
            },
            Self::Log => Terms {
                unit: "record",
                did: "appended",
                counted: "acknowledged",
                found: "in the log",
                success: "each acknowledged after it was written as durably as the service is set to",
                proof: "each record read back afterwards, once and in order",
                latency: "of a record",
            },
            Self::Own => Terms {
                unit: "request",
                did: "answered",
                counted: "answered as expected",
                found: "found",
                success: "each answered as its expectations say",
                proof: "each answer held against the expectations of weir.toml",
                latency: "of a request",
            },
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_file() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::parse(scenario.as_str()), Some(scenario));
            let json = serde_json::to_string(&scenario).unwrap();
            assert_eq!(json, format!("\"{scenario}\""));
        }
        assert_eq!(Scenario::parse("all"), None);
    }
}
