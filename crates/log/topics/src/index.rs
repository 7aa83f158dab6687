//! The index file of a segment: where in the log file some of its offsets are. Read by binary search on the disk.
//!
//! Entries of 32 bytes, little-endian: offset (8), position in the log file (8), the latest time of an append before it (8),
//! four zero bytes, CRC-32C of the 28 bytes before (4). An entry says that its offset's record begins, or will begin, at its
//! position, and that all before is on the disk: entries are written after the log was synced. The last one is the
//! *checkpoint*, where the log ended when it was last synced; it is overwritten by what follows. So a segment is scanned
//! from its checkpoint alone, and a closed one, whose checkpoint is its end, not at all.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of an entry.
pub(crate) const ENTRY_BYTES: u64 = 32;
/// Bytes of log from one entry to the next, or a record if that is longer.
pub(crate) const INTERVAL: u64 = 32 * 1024;

/// A place in a log file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) position: u64,
    /// Milliseconds since 1970; 0 where nothing is before it.
    pub(crate) last_append: i64,
}

impl Entry {
    pub(crate) fn encode(&self) -> [u8; ENTRY_BYTES as usize] {
        let mut bytes = [0; ENTRY_BYTES as usize];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.position.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.last_append.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None`: damaged.
    fn decode(bytes: &[u8; ENTRY_BYTES as usize]) -> Option<Self> {
        let long = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        let crc = crc32c::crc32c(&bytes[..28]).to_le_bytes();
        (bytes[28..] == crc).then(|| Self {
            offset: long(0),
            position: long(8),
            last_append: long(16).cast_signed(),
        })
    }
}

/// Whether the file at `path` is an index: empty, or begins with a whole entry.
pub(crate) fn is_one(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    Ok(file.metadata()?.len() == 0 || read(&file, 0)?.is_some())
}

/// Number of entries.
pub(crate) fn len(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len() / ENTRY_BYTES)
}

/// Entry `number`, if it is whole.
pub(crate) fn read(file: &File, number: u64) -> io::Result<Option<Entry>> {
    let mut bytes = [0; ENTRY_BYTES as usize];
    match file.read_exact_at(&mut bytes, number * ENTRY_BYTES) {
        Ok(()) => Ok(Entry::decode(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes `entries` from entry `number` on, over what is there.
pub(crate) fn write(file: &File, number: u64, entries: &[Entry]) -> io::Result<()> {
    let bytes: Vec<u8> = entries.iter().flat_map(Entry::encode).collect();
    file.write_all_at(&bytes, number * ENTRY_BYTES)
}

/// The last entry that is whole and not beyond `log_bytes`, with its number.
pub(crate) fn last(file: &File, log_bytes: u64) -> io::Result<Option<(u64, Entry)>> {
    for number in (0..len(file)?).rev() {
        if let Some(entry) = read(file, number)?
            && entry.position <= log_bytes
        {
            return Ok(Some((number, entry)));
        }
    }
    Ok(None)
}

/// The last of the first `entries` entries at or before `offset`; `None` also where an entry on the way is damaged: then
/// the segment is to be read from its start.
pub(crate) fn find(file: &File, entries: u64, offset: u64) -> io::Result<Option<Entry>> {
    let (mut low, mut high) = (0, entries);
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        match read(file, middle)? {
            None => return Ok(None),
            Some(entry) if entry.offset <= offset => {
                found = Some(entry);
                low = middle + 1;
            }
            Some(_) => high = middle,
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Entry {
        Entry {
            offset: 10 * number,
            position: 1000 * number,
            last_append: 5,
        }
    }

    #[test]
    fn offsets_are_found_by_search() {
        let file = tempfile::tempfile().expect("a file");
        let entries: Vec<Entry> = (0..101).map(entry).collect();
        write(&file, 0, &entries).expect("written");
        for offset in 0..1100 {
            let found = find(&file, 101, offset).expect("read");
            assert_eq!(found, Some(entry((offset / 10).min(100))), "{offset}");
        }
        assert_eq!(find(&file, 0, 5).expect("read"), None);
        assert_eq!(
            last(&file, u64::MAX).expect("read"),
            Some((100, entry(100)))
        );
        // The log is shorter than the index says.
        assert_eq!(last(&file, 4999).expect("read"), Some((4, entry(4))));
    }

    #[test]
    fn damaged_entries_do_not_count() {
        let file = tempfile::tempfile().expect("a file");
        write(&file, 0, &[entry(0), entry(1), entry(2)]).expect("written");
        file.write_all_at(&[1], 2 * ENTRY_BYTES + 3)
            .expect("damaged");
        assert_eq!(last(&file, u64::MAX).expect("read"), Some((1, entry(1))));
        assert_eq!(find(&file, 3, 25).expect("read"), None);
        // Half an entry at the end.
        file.set_len(2 * ENTRY_BYTES - 1).expect("cut");
        assert_eq!(last(&file, u64::MAX).expect("read"), Some((0, entry(0))));
    }
}
