//! What a reader is given at once, of what Kafka has sent. Pure.

use std::collections::VecDeque;

use tokio::time::Instant;
use topics::{Pace, StoredRecord};

/// More than this is not held back.
const FULL_BYTES: usize = 10 * 1024 * 1024;

/// Records that were read and not yet given, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    records: VecDeque<(u32, StoredRecord)>,
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
}

impl Pending {
    pub(crate) fn push(&mut self, partition: u32, record: StoredRecord, now: Instant) {
        self.bytes += content(&record);
        self.since.get_or_insert(now);
        self.records.push_back((partition, record));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Drops the records of partitions that are not kept: another member reads them from where the group has committed.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(u32) -> bool) {
        self.records.retain(|(partition, _)| is_kept(*partition));
        self.count();
    }

    /// When they are given even if there are too few; `None` where nothing is held back.
    pub(crate) fn held_until(&self, pace: Pace) -> Option<Instant> {
        let since = self.since?;
        since.checked_add(pace.max_wait)
    }

    /// Whether there is enough, or it has waited for long enough.
    pub(crate) fn is_ready(&self, pace: Pace, now: Instant) -> bool {
        let enough = pace.max_wait.is_zero()
            || self.bytes >= pace.min_bytes.min(pace.max_bytes).min(FULL_BYTES);
        !self.is_empty() && (enough || self.held_until(pace).is_some_and(|until| until <= now))
    }

    /// The first records of one partition: at least one, and no more bytes than `pace` allows.
    pub(crate) fn take(&mut self, pace: Pace) -> Option<(u32, Vec<StoredRecord>)> {
        let (partition, first) = self.records.pop_front()?;
        let mut bytes = content(&first);
        let mut taken = vec![first];
        while let Some((next_partition, next)) = self.records.front() {
            bytes += content(next);
            if *next_partition != partition || bytes > pace.max_bytes {
                break;
            }
            taken.extend(self.records.pop_front().map(|(_, record)| record));
        }
        self.count();
        Some((partition, taken))
    }

    fn count(&mut self) {
        self.bytes = self.records.iter().map(|(_, record)| content(record)).sum();
        if self.records.is_empty() {
            self.since = None;
        }
    }
}

/// Bytes of key and value, which a pace counts.
fn content(record: &StoredRecord) -> usize {
    record.key.len() + record.value.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn pending(records: &[(u32, usize)], now: Instant) -> Pending {
        let mut pending = Pending::default();
        for (offset, (partition, bytes)) in (0..).zip(records) {
            let record = StoredRecord {
                offset,
                timestamp: 1,
                append_time: 1,
                key: bytes::Bytes::new(),
                value: vec![0; *bytes].into(),
                headers: Vec::new(),
            };
            pending.push(*partition, record, now);
        }
        pending
    }

    fn taken(pending: &mut Pending, pace: Pace) -> Vec<(u32, usize)> {
        let takes = std::iter::from_fn(|| pending.take(pace));
        takes
            .map(|(partition, records)| (partition, records.len()))
            .collect()
    }

    #[test]
    fn a_delivery_has_one_partition_and_its_bytes_but_at_least_one_record() {
        let now = Instant::now();
        let pace = Pace::parse(250, 0, 0).expect("a pace");
        let records = [(0, 100), (0, 100), (0, 100), (1, 10), (0, 900), (0, 1)];
        let mut pending = pending(&records, now);
        assert!(pending.is_ready(pace, now));
        assert_eq!(
            taken(&mut pending, pace),
            [(0, 2), (0, 1), (1, 1), (0, 1), (0, 1)]
        );
        assert!(!pending.is_ready(pace, now));
    }

    #[test]
    fn too_few_bytes_are_held_back_for_the_time_given() {
        let now = Instant::now();
        let pace = Pace::parse(0, 250, 1000).expect("a pace");
        let mut few = pending(&[(0, 100), (1, 100)], now);
        assert!(!few.is_ready(pace, now + Duration::from_millis(999)));
        assert!(few.is_ready(pace, now + Duration::from_millis(1000)));
        assert!(pending(&[(0, 100), (0, 200)], now).is_ready(pace, now));
        // What has gone to another member does not count.
        few.keep(|partition| partition == 0);
        assert_eq!(taken(&mut few, pace), [(0, 1)]);
        assert_eq!(few.held_until(pace), None);
    }
}
