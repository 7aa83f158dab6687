//! Records in the bytes of a journal. Pure.

/// Bytes of a record before its lines.
pub(crate) const HEAD_BYTES: usize = 16;

/// Writes the head of `record`, whose lines stand at `place` in the partition's file.
pub(super) fn fill_head(record: &mut [u8], place: u64) {
    let lines =
        u32::try_from(record.len() - HEAD_BYTES).expect("a record is shorter than a journal");
    record[4..8].copy_from_slice(&lines.to_le_bytes());
    record[8..HEAD_BYTES].copy_from_slice(&place.to_le_bytes());
    let checksum = crc32c::crc32c(&record[4..]);
    record[..4].copy_from_slice(&checksum.to_le_bytes());
}

/// Lines that a journal holds: one piece of the partition's file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Where they stand in the partition's file.
    pub(super) place: u64,
    pub(super) lines: Vec<u8>,
}

impl Kept {
    /// Reads records as long as they count. Whatever `journal` is, it gives what is whole.
    pub(super) fn read(mut journal: &[u8]) -> Self {
        let mut kept = Self::default();
        while let Some((place, lines)) = first(journal) {
            if kept.lines.is_empty() {
                kept.place = place;
            }
            if place != kept.end() {
                break;
            }
            kept.lines.extend_from_slice(lines);
            journal = &journal[HEAD_BYTES + lines.len()..];
        }
        kept
    }

    /// Where they end in the partition's file.
    pub(super) fn end(&self) -> u64 {
        self.place + self.lines.len() as u64
    }
}

/// What the bytes of a journal say: where in the partition's file its lines stand, and the lines. None where no record
/// counts. Any bytes may be given.
#[must_use]
pub fn lines_kept(journal: &[u8]) -> Option<(u64, Vec<u8>)> {
    let Kept { place, lines } = Kept::read(journal);
    (!lines.is_empty()).then_some((place, lines))
}

/// No file of a partition is as long as that: 256 TiB.
const MOST_BYTES: u64 = 1 << 48;

/// Place and lines of each whole record anywhere in `journal` whose lines end behind `end` in the partition's file. With the
/// end of the records that count, records of earlier rounds are never among them, since places only grow.
pub(super) fn beyond(journal: &[u8], end: u64) -> impl Iterator<Item = (u64, &[u8])> {
    let heads = journal.windows(HEAD_BYTES).enumerate();
    heads.filter_map(move |(at, head)| {
        // Nearly all places are ruled out by their numbers: where a record's place or lines are taken for a length, what stands
        // where its place would be is text. Checksums of megabytes at each of them would take minutes.
        let (length, place) = numbers(head);
        let may_be_one = length != 0
            && length <= journal.len() - HEAD_BYTES - at
            && place < MOST_BYTES
            && place + length as u64 > end;
        may_be_one.then(|| first(&journal[at..])).flatten()
    })
}

/// Whether [`beyond`] has a record.
pub(super) fn reach_beyond(journal: &[u8], end: u64) -> bool {
    beyond(journal, end).next().is_some()
}

/// The length and the place in a head.
fn numbers(head: &[u8]) -> (usize, u64) {
    let u32_at =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let place = u64::from(u32_at(12)) << 32 | u64::from(u32_at(8));
    (u32_at(4) as usize, place)
}

/// Place and lines of the record at the beginning, if it is whole.
fn first(journal: &[u8]) -> Option<(u64, &[u8])> {
    let (checksum, rest) = journal.split_first_chunk::<4>()?;
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (place, behind) = behind.split_first_chunk::<8>()?;
    let lines = behind.get(..u32::from_le_bytes(*length) as usize)?;
    let place = u64::from_le_bytes(*place);
    // An end beyond the numbers is no place in a file.
    place.checked_add(lines.len() as u64)?;
    let whole = &rest[..HEAD_BYTES - 4 + lines.len()];
    (!lines.is_empty() && crc32c::crc32c(whole) == u32::from_le_bytes(*checksum))
        .then_some((place, lines))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_full_journal_is_looked_through_in_a_moment() {
        // Short lines far into a file: each place, taken for a length, is shorter than the journal.
        let begin = 1_000_000;
        let mut journal = Vec::new();
        let mut end = begin;
        while journal.len() < 4 << 20 {
            let mut record = vec![b'x'; HEAD_BYTES + 200];
            fill_head(&mut record, end);
            journal.extend(record);
            end += 200;
        }
        assert_eq!(Kept::read(&journal).end(), end);
        let begun = Instant::now();
        assert!(!reach_beyond(&journal, end));
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        // The last one is found.
        assert!(reach_beyond(&journal, end - 1));
    }
}
