//! What one subscriber has had, by sequence number: in order, late, again, not at all.

use std::collections::BTreeMap;

/// How an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// After all that came before it.
    InOrder,
    /// For the first time, but after one with a higher number.
    Late,
    /// Not for the first time.
    Again,
}

/// Numbers that came and numbers that are missing between them.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The first that came.
    first: u64,
    /// One more than the highest that came; 0: none came.
    next: u64,
    /// From and until (exclusive).
    gaps: BTreeMap<u64, u64>,
    /// Different events that came.
    pub(super) received: u64,
    pub(super) repeated: u64,
    pub(super) out_of_order: u64,
}

impl Order {
    /// Notes the event `sequence`, from 1.
    pub(super) fn note(&mut self, sequence: u64) -> Arrival {
        if self.next == 0 {
            self.first = sequence;
            self.next = sequence + 1;
            self.received = 1;
            return Arrival::InOrder;
        }
        if sequence >= self.next {
            if sequence > self.next {
                self.gaps.insert(self.next, sequence);
            }
            self.next = sequence + 1;
            self.received += 1;
            return Arrival::InOrder;
        }
        // Before the first: nobody knows what lies between.
        if sequence < self.first {
            if sequence + 1 < self.first {
                self.gaps.insert(sequence + 1, self.first);
            }
            self.first = sequence;
        } else if !self.fill(sequence) {
            self.repeated += 1;
            return Arrival::Again;
        }
        self.received += 1;
        self.out_of_order += 1;
        Arrival::Late
    }

    /// Takes a number out of the gap that it lies in.
    fn fill(&mut self, sequence: u64) -> bool {
        let gap = self.gaps.range(..=sequence).next_back();
        let Some((&from, &until)) = gap.filter(|(_, until)| sequence < **until) else {
            return false;
        };
        self.gaps.remove(&from);
        if from < sequence {
            self.gaps.insert(from, sequence);
        }
        if sequence + 1 < until {
            self.gaps.insert(sequence + 1, until);
        }
        true
    }

    /// Numbers between the first and the highest that never came.
    pub(super) fn missed(&self) -> u64 {
        self.gaps.iter().map(|(from, until)| until - from).sum()
    }

    /// The highest number that came.
    pub(super) fn highest(&self) -> Option<u64> {
        self.next.checked_sub(1).filter(|_| self.next > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(numbers: &[u64]) -> Order {
        let mut order = Order::default();
        for number in numbers {
            order.note(*number);
        }
        order
    }

    #[test]
    fn every_fault_is_told_apart() {
        // Numbers; then received, missed, repeated, out of order.
        for (numbers, expected) in [
            (&[5, 6, 7][..], [3, 0, 0, 0]),
            (&[5, 8], [2, 2, 0, 0]),
            (&[5, 8, 6], [3, 1, 0, 1]),
            (&[5, 9, 7, 6, 8], [5, 0, 0, 3]),
            (&[5, 6, 6, 5], [2, 0, 2, 0]),
            (&[5, 8, 6, 6], [3, 1, 1, 1]),
            (&[5, 3, 6], [3, 1, 0, 1]),
            (&[5, 3, 4], [3, 0, 0, 2]),
        ] {
            let order = after(numbers);
            let seen = [
                order.received,
                order.missed(),
                order.repeated,
                order.out_of_order,
            ];
            assert_eq!(seen, expected, "{numbers:?}");
        }
        assert_eq!(after(&[]).highest(), None);
        assert_eq!(after(&[5, 9, 7]).highest(), Some(9));
    }
}
