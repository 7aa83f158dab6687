//! What `pg_current_snapshot()` says: which transactions had ended.

use std::fmt;
use std::str::FromStr;

/// A snapshot of a PostgreSQL cluster. Displays as PostgreSQL writes it: `xmin:xmax:xip,...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// All below had ended.
    oldest: u64,
    /// No transaction from this id on had begun.
    next: u64,
    /// Those between that were under way, ascending.
    under_way: Vec<u64>,
}

impl Snapshot {
    /// Whether the transaction had ended.
    pub(crate) fn had_ended(&self, transaction: u64) -> bool {
        transaction < self.next && self.under_way.binary_search(&transaction).is_err()
    }

    /// The oldest transaction that had not ended.
    pub(crate) fn oldest(&self) -> u64 {
        self.oldest
    }
}

impl FromStr for Snapshot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.splitn(3, ':');
            let oldest = parts.next()?.parse().ok()?;
            let next = parts.next()?.parse().ok()?;
            let under_way = parts.next()?;
            let ids = under_way.split(',').filter(|id| !id.is_empty());
            let mut under_way: Vec<u64> = ids.map(str::parse).collect::<Result<_, _>>().ok()?;
            under_way.sort_unstable();
            Some(Self {
                oldest,
                next,
                under_way,
            })
        };
        read().ok_or_else(|| format!("'{text}' is no snapshot"))
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.oldest, self.next)?;
        for (index, id) in self.under_way.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_what_had_ended() {
        let snapshot: Snapshot = "10:20:10,14,15".parse().expect("a snapshot");
        for (transaction, ended) in [
            (3, true),
            (9, true),
            (10, false),
            (11, true),
            (14, false),
            (15, false),
            (19, true),
            (20, false),
            (u64::MAX, false),
        ] {
            assert_eq!(snapshot.had_ended(transaction), ended, "{transaction}");
        }
        assert_eq!(snapshot.oldest(), 10);
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        for text in ["3:3:", "10:20:10,14,15"] {
            assert_eq!(text.parse::<Snapshot>().expect(text).to_string(), text);
        }
        for text in ["", "1:2", "1:x:", "1:2:a", "1:2:1;2"] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
    }
}
