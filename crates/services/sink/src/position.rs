//! How far each partition is. Pure.

use std::collections::BTreeMap;

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the next one.
    Merge,
    /// It was merged before.
    Skip,
    /// Records before it were not seen: read from this offset.
    Seek(i64),
}

/// The next offset to merge of each partition that this sink reads.
#[derive(Debug, Default)]
pub(crate) struct Positions(BTreeMap<i32, Position>);

#[derive(Debug)]
struct Position {
    next: i64,
    /// Whether Kafka was asked for `next`: a gap after that is one of the topic's.
    sought: bool,
}

impl Positions {
    pub(crate) fn knows(&self, partition: i32) -> bool {
        self.0.contains_key(&partition)
    }

    /// Sets the position that the database has.
    pub(crate) fn set(&mut self, partition: i32, next: i64) {
        let position = Position {
            next,
            sought: false,
        };
        self.0.insert(partition, position);
    }

    /// Forgets partitions that other sinks read, or all of which the database must say more.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(i32) -> bool) {
        self.0.retain(|partition, _| is_kept(*partition));
    }

    /// Whether a record comes from before the last one merged, though Kafka was asked for the next one: it may be of a topic that
    /// was made again.
    pub(crate) fn went_back(&self, partition: i32, offset: i64) -> bool {
        let position = self.0.get(&partition);
        position.is_some_and(|position| position.sought && offset < position.next)
    }

    /// The next offset to merge.
    pub(crate) fn next(&self, partition: i32) -> i64 {
        self.0.get(&partition).map_or(0, |position| position.next)
    }

    /// The transaction that merged up to `next` is committed.
    pub(crate) fn advance(&mut self, partition: i32, next: i64) {
        if let Some(position) = self.0.get_mut(&partition) {
            position.next = next;
            position.sought = true;
        }
    }

    /// What to do with the record at `offset`, where `expected` is the next one that this batch lacks.
    pub(crate) fn judge(&mut self, partition: i32, offset: i64, expected: i64) -> Verdict {
        if offset < expected {
            return Verdict::Skip;
        }
        let Some(position) = self.0.get_mut(&partition) else {
            return Verdict::Skip;
        };
        // Offsets can be missing: those of transactions and of compacted records.
        if offset == expected || position.sought {
            position.sought = true;
            return Verdict::Merge;
        }
        position.sought = true;
        Verdict::Seek(position.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_merged_is_skipped_and_what_was_not_seen_is_asked_for_once() {
        let mut positions = Positions::default();
        positions.set(0, 5);
        assert_eq!(positions.judge(0, 4, 5), Verdict::Skip);
        assert_eq!(positions.judge(0, 9, 5), Verdict::Seek(5));
        // Asked for, and there is none: the topic has a gap.
        assert_eq!(positions.judge(0, 9, 5), Verdict::Merge);
        positions.advance(0, 10);
        assert!(positions.went_back(0, 0) && !positions.went_back(0, 10));
        assert!(!positions.went_back(1, 0), "another sink's");
        assert_eq!(positions.judge(0, 9, 10), Verdict::Skip);
        assert_eq!(positions.judge(0, 12, 10), Verdict::Merge);
        // A partition of another sink.
        assert_eq!(positions.judge(1, 0, 0), Verdict::Skip);
    }
}
