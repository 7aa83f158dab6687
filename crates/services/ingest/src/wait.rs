//! What the answer to an event waits for.

use domain::Invalid;

/// What the answer to an event waits for. Both are the same where PostgreSQL takes the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// The event is stored: in PostgreSQL, or in Kafka with `WRITE_MODE=kafka`.
    #[default]
    Stored,
    /// The event is merged: readers of the table see it.
    Applied,
}

impl Wait {
    /// Name of the parameter over REST, and of the metadata key over gRPC.
    pub const NAME: &str = "wait";

    /// The value of the parameter; without one the answer waits until the event is stored.
    ///
    /// # Errors
    /// The value is neither `applied` nor `stored`.
    pub fn parse(value: Option<&[u8]>) -> Result<Self, Invalid> {
        match value {
            None | Some(b"stored") => Ok(Self::Stored),
            Some(b"applied") => Ok(Self::Applied),
            Some(_) => Err(Invalid::new(Self::NAME, "must be 'applied' or 'stored'")),
        }
    }

    /// The parameter of a query such as `wait=applied`. Other parameters are ignored; of repeated ones the last counts.
    ///
    /// # Errors
    /// As [`Wait::parse`].
    pub fn of_query(query: &str) -> Result<Self, Invalid> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let asked = pairs.rev().find(|(name, _)| *name == Self::NAME);
        Self::parse(asked.map(|(_, value)| value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_is_waited_for() {
        for (query, wait) in [
            ("", Ok(Wait::Stored)),
            ("trace=1&waiting=x", Ok(Wait::Stored)),
            ("wait=stored", Ok(Wait::Stored)),
            ("a=b&wait=applied", Ok(Wait::Applied)),
            ("wait=stored&wait=applied", Ok(Wait::Applied)),
            ("wait=", Err(())),
            ("wait=Applied", Err(())),
        ] {
            let parsed = Wait::of_query(query);
            assert_eq!(parsed.clone().map_err(drop), wait, "{query}");
            if let Err(invalid) = parsed {
                assert_eq!(
                    invalid.to_string(),
                    "wait must be 'applied' or 'stored'",
                    "{query}"
                );
            }
        }
    }
}
