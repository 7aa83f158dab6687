//! What was written, and how often each of it was received.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Notify;

/// The book of a delivery; records are known by their numbers, from 0 in the order in which they were due.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// How many receivers get each record.
    receipts_each: u32,
    book: Mutex<Book>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    records: Vec<Record>,
    /// Writes that are under way.
    open: u64,
    in_doubt: u64,
    /// Receipts that acknowledged records still need.
    awaited: u64,
    received: u64,
    repeated: u64,
    /// By partition: who received from it last.
    readers: BTreeMap<i32, usize>,
    cut: Option<Cut>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    due: Instant,
    sent: Instant,
    acknowledged: bool,
    receipts: u32,
}

/// A member that was cut off, and its partitions with the first receipt of another member after it.
#[derive(Debug)]
struct Cut {
    at: Instant,
    taken: BTreeMap<i32, Option<Instant>>,
}

/// The first receipt of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    /// When its writing was due.
    pub(super) due: Instant,
    /// When it was sent.
    pub(super) sent: Instant,
}

/// What was written and received over the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivered {
    /// Records that the target acknowledged.
    pub written: u64,
    /// Records that were sent and not acknowledged.
    pub in_doubt: u64,
    /// Receipts, each record once a receiver.
    pub received: u64,
    /// Receipts that acknowledged records still lacked at the end.
    pub missed: u64,
    /// Receipts beyond the first.
    pub repeated: u64,
    /// Of a member that was cut off: milliseconds until the last of its partitions gave a record to another member. None
    /// where no member was cut off, or a partition stayed without a reader.
    pub takeover_ms: Option<f64>,
    /// Partitions of the member that was cut off from which nobody read afterwards.
    pub orphaned: u64,
}

impl Ledger {
    pub(super) fn new(receipts_each: u32) -> Self {
        Self {
            receipts_each,
            book: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record is about to be sent; gives its number.
    pub(super) fn sending(&self, due: Instant) -> u64 {
        let mut book = self.book();
        book.open += 1;
        book.records.push(Record {
            due,
            sent: Instant::now(),
            acknowledged: false,
            receipts: 0,
        });
        book.records.len() as u64 - 1
    }

    /// The record of this number was acknowledged, or it is in doubt.
    pub(super) fn settled(&self, number: u64, acknowledged: bool) {
        let mut book = self.book();
        book.open -= 1;
        match (acknowledged, book.records.get_mut(number as usize)) {
            (true, Some(record)) => {
                record.acknowledged = true;
                let lacking = self.receipts_each.saturating_sub(record.receipts);
                book.awaited += u64::from(lacking);
            }
            _ => book.in_doubt += 1,
        }
        drop(book);
        self.changed.notify_one();
    }

    /// The record of this number was received from `partition` by `reader`. None where it is a repetition, or a number that
    /// nobody wrote.
    pub(super) fn received(&self, number: u64, partition: i32, reader: usize) -> Option<Receipt> {
        let mut book = self.book();
        let book = &mut *book;
        book.readers.insert(partition, reader);
        if let Some(cut) = &mut book.cut
            && let Some(taken) = cut.taken.get_mut(&partition)
        {
            taken.get_or_insert_with(Instant::now);
        }
        let record = book.records.get_mut(number as usize)?;
        record.receipts += 1;
        if record.receipts > self.receipts_each {
            book.repeated += 1;
            return None;
        }
        book.received += 1;
        let receipt = Receipt {
            due: record.due,
            sent: record.sent,
        };
        if record.acknowledged {
            book.awaited -= 1;
            if book.awaited == 0 {
                self.changed.notify_one();
            }
        }
        Some(receipt)
    }

    /// The reader is cut off now.
    pub(super) fn cut(&self, reader: usize) {
        let mut book = self.book();
        let held = book.readers.iter().filter(|(_, of)| **of == reader);
        let taken = held.map(|(partition, _)| (*partition, None)).collect();
        book.cut = Some(Cut {
            at: Instant::now(),
            taken,
        });
    }

    /// Waits until all that was acknowledged has been received. Only one task may wait.
    pub(super) async fn complete(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let book = self.book();
                if book.open == 0 && book.awaited == 0 {
                    return;
                }
            }
            changed.await;
        }
    }

    /// The sums.
    pub(crate) fn delivered(&self) -> Delivered {
        let book = self.book();
        let takeover = |cut: &Cut| -> Option<Duration> {
            let taken: Option<Vec<Instant>> = cut.taken.values().copied().collect();
            let last = taken?.into_iter().max()?;
            Some(last.saturating_duration_since(cut.at))
        };
        let cut = book.cut.as_ref();
        Delivered {
            written: book.records.iter().filter(|one| one.acknowledged).count() as u64,
            in_doubt: book.in_doubt + book.open,
            received: book.received,
            missed: book.awaited,
            repeated: book.repeated,
            takeover_ms: cut.and_then(takeover).map(|time| time.as_secs_f64() * 1e3),
            orphaned: cut.map_or(0, |cut| {
                cut.taken.values().filter(|first| first.is_none()).count() as u64
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_acknowledged_is_awaited_until_each_receiver_has_it() {
        let ledger = Ledger::new(2);
        let number = ledger.sending(Instant::now());
        let lost = ledger.sending(Instant::now());
        // A receipt may come before the acknowledgement.
        assert!(ledger.received(number, 0, 0).is_some());
        ledger.settled(number, true);
        ledger.settled(lost, false);
        assert_eq!(ledger.delivered().missed, 1);
        assert!(ledger.received(number, 0, 1).is_some());
        assert!(ledger.received(number, 0, 1).is_none());
        ledger.complete().await;
        let delivered = ledger.delivered();
        assert_eq!((delivered.written, delivered.in_doubt), (1, 1));
        assert_eq!((delivered.received, delivered.missed), (2, 0));
        assert_eq!(delivered.repeated, 1);
    }

    #[test]
    fn a_member_that_is_cut_off_gives_its_partitions_away() {
        let ledger = Ledger::new(1);
        for partition in 0..3 {
            let number = ledger.sending(Instant::now());
            ledger.settled(number, true);
            // Member 0 reads partitions 0 and 1, member 1 reads 2.
            ledger.received(number, partition, (partition / 2) as usize);
        }
        ledger.cut(0);
        assert_eq!(ledger.delivered().orphaned, 2);
        let after = |partition| {
            let number = ledger.sending(Instant::now());
            ledger.settled(number, true);
            ledger.received(number, partition, 1);
        };
        after(2);
        after(0);
        assert_eq!(ledger.delivered().takeover_ms, None);
        after(1);
        let delivered = ledger.delivered();
        assert_eq!(delivered.orphaned, 0);
        assert!(delivered.takeover_ms.is_some());
    }
}
