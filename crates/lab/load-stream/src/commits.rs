//! When live transactions were committed: written by the feed, read by all subscribers, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::event::number;

/// Two times per transaction. A row becomes visible between them: after its INSERT, which commits itself, was sent,
/// and before the answer to it was read.
#[derive(Debug)]
pub(super) struct Commits {
    base: Instant,
    prefix: String,
    times: Vec<Times>,
}

/// Nanoseconds since the base, and one; 0: not yet.
#[derive(Debug, Default)]
struct Times {
    sent: AtomicU64,
    answered: AtomicU64,
}

impl Commits {
    /// Room for `count` transactions of the run.
    pub(super) fn new(run_id: &str, count: usize) -> Self {
        Self {
            base: Instant::now(),
            prefix: format!("bench-{run_id}-"),
            times: (0..count).map(|_| Times::default()).collect(),
        }
    }

    /// How many there is room for.
    pub(super) fn room(&self) -> usize {
        self.times.len()
    }

    /// The id of transaction `number`, from 0.
    pub(super) fn tx_id(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    /// The number of a transaction of this run.
    pub(super) fn number(&self, tx_id: &[u8]) -> Option<u64> {
        number(tx_id.strip_prefix(self.prefix.as_bytes())?)
    }

    /// Notes that the commit of `number` is about to be sent.
    pub(super) fn send(&self, number: u64) {
        if let Some(times) = self.get(number) {
            times.sent.store(self.now(), Ordering::Release);
        }
    }

    /// Notes that the commit of `number` was answered.
    pub(super) fn answer(&self, number: u64) {
        if let Some(times) = self.get(number) {
            times.answered.store(self.now(), Ordering::Release);
        }
    }

    /// When the commit was sent.
    pub(super) fn sent(&self, number: u64) -> Option<Instant> {
        self.time(self.get(number)?.sent.load(Ordering::Acquire))
    }

    /// When it was answered; none where that has not been read yet.
    pub(super) fn answered(&self, number: u64) -> Option<Instant> {
        self.time(self.get(number)?.answered.load(Ordering::Acquire))
    }

    fn get(&self, number: u64) -> Option<&Times> {
        self.times.get(usize::try_from(number).ok()?)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX - 1) + 1
    }

    fn time(&self, nanos: u64) -> Option<Instant> {
        let nanos = nanos.checked_sub(1)?;
        Some(self.base + Duration::from_nanos(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_by_the_id() {
        let commits = Commits::new("r1", 3);
        let number = commits.number(commits.tx_id(2).as_bytes()).unwrap();
        assert_eq!(number, 2);
        assert_eq!(commits.number(b"bench-r2-2"), None);
        assert_eq!(commits.number(b"bench-r1-x"), None);
        assert_eq!(commits.sent(2), None);
        let before = Instant::now();
        commits.send(2);
        commits.answer(2);
        let (sent, answered) = (commits.sent(2).unwrap(), commits.answered(2).unwrap());
        assert!(before <= sent && sent <= answered && answered <= Instant::now());
        // More than there is room for.
        commits.send(3);
        assert_eq!(commits.sent(3), None);
    }
}
