//! What was written to repeating keys, so that an audit can find a lost event.
//!
//! With unique ids an audit counts rows. With a fixed set of keys an event merges into what is there, and
//! a lost one would be covered by the next. So the keys are dealt out among the workers, each waits for
//! its answer before it writes a key again, and event number j of a key sets the top-level attribute
//! `e<j mod SLOTS>` to j. The last [`SLOTS`] events of every key are then visible in its row, each on its
//! own. Workers go through their keys in rounds of random order, so keys get the same number of events
//! give or take one, and a run of fewer than `SLOTS` x keys events is visible in full.

use crate::tally::RequestOutcome;
use lab_verdict::random::SplitMix64;

/// How many events of one key its row shows.
pub const SLOTS: u32 = 16;

/// One worker's share of the keys: those with `key % workers == worker`.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Keys in all, numbered from 0.
    pub total: u32,
    /// Workers that share them.
    pub workers: usize,
    /// This one, from 0.
    pub worker: usize,
}

/// An event for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyWrite {
    /// The key.
    pub key: u32,
    /// Which event of the key this is, from 1.
    pub number: u32,
}

impl KeyWrite {
    /// The attribute that it sets, 0 to [`SLOTS`] - 1.
    pub fn slot(self) -> u32 {
        self.number % SLOTS
    }
}

/// Chooses keys and remembers what became of each write.
#[derive(Debug)]
pub struct KeyWriter {
    keys: Keys,
    /// The keys of this round in their order, and the place in it.
    round: Vec<u32>,
    place: usize,
    /// Events per key, indexed as `key / workers`.
    counts: Vec<u32>,
    /// The writes of the request that is under way.
    pending: Vec<KeyWrite>,
    doubts: Vec<KeyWrite>,
}

impl KeyWriter {
    /// A writer for the share `keys`, which must not be empty.
    pub fn new(keys: Keys, random: &mut SplitMix64) -> Self {
        let mut round: Vec<u32> = (keys.worker as u32..keys.total)
            .step_by(keys.workers)
            .collect();
        random.shuffle(&mut round);
        let counts = vec![0; round.len()];
        Self {
            keys,
            round,
            place: 0,
            counts,
            pending: Vec::new(),
            doubts: Vec::new(),
        }
    }

    /// The next write. Follows the settling of the request before.
    pub fn next(&mut self, random: &mut SplitMix64) -> KeyWrite {
        if self.place == self.round.len() {
            random.shuffle(&mut self.round);
            self.place = 0;
        }
        let key = self.round[self.place];
        self.place += 1;
        let count = &mut self.counts[key as usize / self.keys.workers];
        *count += 1;
        let write = KeyWrite {
            key,
            number: *count,
        };
        self.pending.push(write);
        write
    }

    /// Notes how the writes since the last time ended, in their order.
    pub fn settle<'a>(&mut self, fates: impl IntoIterator<Item = &'a RequestOutcome>) {
        for (write, fate) in self.pending.drain(..).zip(fates) {
            match fate {
                RequestOutcome::Acknowledged => {}
                RequestOutcome::Failed(_) | RequestOutcome::Unanswered(_) => {
                    self.doubts.push(write)
                }
                // It never left: its number is free again. Of a request either all events are sent or none.
                RequestOutcome::NotSent(_) => {
                    self.counts[write.key as usize / self.keys.workers] -= 1
                }
            }
        }
    }

    /// What the database should hold now.
    pub fn into_ledger(self) -> Ledger {
        let mut counts = vec![0; self.keys.total as usize];
        for (place, count) in self.counts.into_iter().enumerate() {
            counts[place * self.keys.workers + self.keys.worker] = count;
        }
        Ledger {
            counts,
            doubts: self.doubts,
        }
    }
}

/// What was sent, per key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    counts: Vec<u32>,
    doubts: Vec<KeyWrite>,
}

/// What an audit found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Acknowledged events.
    pub acknowledged: u64,
    /// Acknowledged events found in the table.
    pub verified: u64,
    /// Acknowledged events that are not there.
    pub lost: u64,
    /// Acknowledged events whose slot a later event of the same key took over, so that nothing can be said.
    pub covered: u64,
    /// Events that were sent without an acknowledgement and are there all the same, which is allowed.
    pub doubtful_stored: u64,
    /// Attributes in the table that no event of this run explains.
    pub unexplained: u64,
}

impl Findings {
    /// Whether every acknowledged event is accounted for, and nothing else was found.
    pub fn clean(&self) -> bool {
        self.lost == 0 && self.unexplained == 0
    }
}

impl Ledger {
    /// Adds another worker's share.
    pub fn merge(&mut self, other: Ledger) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.doubts.extend(other.doubts);
    }

    /// Compares with the rows of the table: `stored(key)` gives the number in each slot, none where the
    /// attribute is missing; a missing row is all none.
    pub fn audit(mut self, stored: impl Fn(u32) -> [Option<u32>; SLOTS as usize]) -> Findings {
        self.doubts.sort_unstable();
        let doubtful = |key, number| self.doubts.binary_search(&KeyWrite { key, number }).is_ok();
        let mut findings = Findings::default();
        for (key, &count) in (0_u32..).zip(&self.counts) {
            let slots = stored(key);
            for number in 1..=count {
                let doubt = doubtful(key, number);
                findings.acknowledged += u64::from(!doubt);
                let found = slots[(number % SLOTS) as usize];
                match (found == Some(number), doubt) {
                    (true, false) => findings.verified += 1,
                    (true, true) => findings.doubtful_stored += 1,
                    (false, true) => {}
                    // A later event of the key explains the slot's value, whether acknowledged or not.
                    (false, false) => match found {
                        Some(later) if later > number && later <= count => findings.covered += 1,
                        _ => findings.lost += 1,
                    },
                }
            }
            findings.unexplained += (0_u32..)
                .zip(slots)
                .filter(|&(slot, found)| {
                    found.is_some_and(|number| {
                        number == 0 || number > count || number % SLOTS != slot
                    })
                })
                .count() as u64;
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three workers write to ten keys; the table is what the events left.
    fn write(
        events: usize,
        mut fate: impl FnMut(KeyWrite) -> (RequestOutcome, bool),
    ) -> (Ledger, Vec<Row>) {
        let mut rows = vec![[None; SLOTS as usize]; 10];
        let mut ledger = Ledger::default();
        for worker in 0..3 {
            let mut random = SplitMix64::of_stream(1, worker as u64);
            let keys = Keys {
                total: 10,
                workers: 3,
                worker,
            };
            let mut writer = KeyWriter::new(keys, &mut random);
            for _ in 0..events {
                let write = writer.next(&mut random);
                assert_eq!(write.key as usize % 3, worker);
                let (fate, stored) = fate(write);
                if stored {
                    rows[write.key as usize][write.slot() as usize] = Some(write.number);
                }
                writer.settle([&fate]);
            }
            ledger.merge(writer.into_ledger());
        }
        (ledger, rows)
    }

    type Row = [Option<u32>; SLOTS as usize];

    #[test]
    fn a_faultless_run_is_verified_in_full() {
        let (ledger, rows) = write(30, |_| (RequestOutcome::Acknowledged, true));
        let findings = ledger.audit(|key| rows[key as usize]);
        assert_eq!(findings.acknowledged, 90);
        assert_eq!(findings.verified, 90);
        assert!(findings.clean());
    }

    #[test]
    fn one_lost_event_is_found_even_when_later_ones_follow() {
        let (ledger, rows) = write(30, |write| {
            (
                RequestOutcome::Acknowledged,
                write != KeyWrite { key: 4, number: 2 },
            )
        });
        let findings = ledger.audit(|key| rows[key as usize]);
        assert_eq!((findings.lost, findings.verified), (1, 89));
        assert!(!findings.clean());
    }

    #[test]
    fn doubtful_events_may_be_there_or_not() {
        let (ledger, rows) = write(30, |write| match write.number {
            2 => (RequestOutcome::Unanswered("timeout".into()), true),
            3 => (RequestOutcome::Failed("http 503".into()), false),
            _ => (RequestOutcome::Acknowledged, true),
        });
        let findings = ledger.audit(|key| rows[key as usize]);
        assert_eq!((findings.lost, findings.doubtful_stored), (0, 10));
        assert_eq!(findings.verified, findings.acknowledged);
    }

    #[test]
    fn what_was_never_sent_leaves_no_gap() {
        let mut turn = 0;
        let (ledger, rows) = write(30, |_| {
            turn += 1;
            if turn % 3 == 0 {
                (RequestOutcome::NotSent("connect".into()), false)
            } else {
                (RequestOutcome::Acknowledged, true)
            }
        });
        let findings = ledger.audit(|key| rows[key as usize]);
        assert_eq!(findings.verified, 60);
        assert!(findings.clean());
    }

    #[test]
    fn covered_events_are_reported_as_such() {
        let (ledger, rows) = write(100, |_| (RequestOutcome::Acknowledged, true));
        let findings = ledger.audit(|key| rows[key as usize]);
        assert_eq!(findings.verified + findings.covered, 300);
        assert_eq!(findings.verified, 160);
        assert!(findings.clean());
    }

    #[test]
    fn attributes_of_nobody_are_found() {
        let (ledger, mut rows) = write(3, |_| (RequestOutcome::Acknowledged, true));
        rows[0][9] = Some(9);
        assert_eq!(ledger.audit(|key| rows[key as usize]).unexplained, 1);
    }
}
