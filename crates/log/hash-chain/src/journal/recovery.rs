//! Recovers lines from a journal after the machine failed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::place::{JOURNAL_BYTES, path_of};
use super::records::{self, Kept};
use crate::error::ChainError;
use crate::file;

/// Brings the lines in the partition's journal to the disk in its own file, and removes the journal. Nothing where there is
/// none. To be called before the partition's file is looked at, by whoever holds the directory's lock.
///
/// # Errors
/// The file is missing, is shorter than it was when the journal began, or has other bytes than the journal where both have
/// some: another program changed it, and its user must decide which of the two counts. The journal is damaged, and has
/// lines behind the damage that the file lacks. Or the operating system refuses.
pub(crate) fn recover(partition: &Path) -> Result<(), ChainError> {
    let journal = path_of(partition);
    let Some(bytes) = content(&journal)? else {
        return Ok(());
    };
    let kept = Kept::read(&bytes);
    if !is_ours(&bytes, &kept) {
        tracing::warn!(file = %journal.display(), "left alone: is no journal of a chain");
        return Ok(());
    }
    if !holds_all_beyond(partition, &bytes, kept.end())? {
        let what = "is damaged, and has entries that the chain lacks: bring it back, or remove it to go on without them";
        return Err(ChainError::damaged(&journal, what));
    }
    if !kept.lines.is_empty() {
        write_again(partition, &journal, &kept)?;
    }
    fs::remove_file(&journal)?;
    Ok(())
}

/// Whether the partition's file has, as they were written, the lines of all whole records of `journal` that end behind
/// `end`, where the records that count end. Its length alone does not say so: a block that did not come to the disk before
/// the machine failed reads as zeros. If the first record is damaged, records of earlier rounds are looked at too; the file
/// has their lines, since it was synced before the round after them began.
fn holds_all_beyond(partition: &Path, journal: &[u8], end: u64) -> io::Result<bool> {
    let mut records = records::beyond(journal, end).peekable();
    if records.peek().is_none() {
        return Ok(true);
    }
    let file = match OpenOptions::new().read(true).write(true).open(partition) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    for (place, lines) in records {
        let mut found = vec![0; lines.len()];
        let read = file::read_up_to(&file, &mut found, place)?;
        if read < lines.len() || found != lines {
            return Ok(false);
        }
        // The same bytes again, for the sync below: after a failed one the kernel shows what is not on the disk.
        file.write_all_at(lines, place)?;
    }
    // The journal goes after this.
    file.sync_all()?;
    Ok(true)
}

/// Whether a chain left the file: it has whole lines, or is being made, or its first record was torn.
fn is_ours(bytes: &[u8], kept: &Kept) -> bool {
    let has_zeros = |part: &[u8]| part.iter().all(|byte| *byte == 0);
    let is_allocated = bytes.len() as u64 == JOURNAL_BYTES;
    !kept.lines.is_empty()
        || (!bytes.is_empty() && has_zeros(bytes))
        || (is_allocated
            && (has_zeros(&bytes[bytes.len() / 2..]) || records::reach_beyond(bytes, 0)))
}

/// Bytes in the partition's journal that are not in its file: lines that the next opening for writing brings back. Anybody
/// may ask at any time, since a writer writes to the file first.
pub(crate) fn missing_from(partition: &Path) -> io::Result<u64> {
    let Some(bytes) = content(&path_of(partition))? else {
        return Ok(0);
    };
    let kept = Kept::read(&bytes);
    let length = fs::metadata(partition).map_or(0, |file| file.len());
    Ok(kept.end().saturating_sub(length.max(kept.place)))
}

/// What the journal holds, if there is a file that may be one.
fn content(journal: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::symlink_metadata(journal) {
        Ok(found) if found.is_file() && found.len() <= JOURNAL_BYTES => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    File::open(journal)?
        .take(JOURNAL_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn write_again(partition: &Path, journal: &Path, kept: &Kept) -> Result<(), ChainError> {
    let changed = |what: &str| {
        let journal = journal.file_name().unwrap_or_default().display();
        let what = format!(
            "{what}, but {journal} was left by a crash and goes on from there: bring the file back, or remove {journal} to \
             go on without the entries in it"
        );
        Err(ChainError::damaged(partition, &what))
    };
    let file = match OpenOptions::new().read(true).write(true).open(partition) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return changed("is missing"),
        file => file?,
    };
    let length = file.metadata()?.len();
    if length < kept.place {
        return changed(&format!(
            "ends at byte {length}, before byte {}",
            kept.place
        ));
    }
    let mut found = vec![0; kept.lines.len()];
    let both = file::read_up_to(&file, &mut found, kept.place)?;
    if let Some(at) = first_change(&found[..both], &kept.lines) {
        let at = kept.place + at as u64;
        return changed(&format!("is not what was written at byte {at}"));
    }
    // All of it, not what is missing alone: after a failed sync the kernel shows what is not on the disk.
    file.write_all_at(&kept.lines, kept.place)?;
    file.sync_all()?;
    let missing = kept.end().saturating_sub(length);
    if missing > 0 {
        tracing::warn!(
            file = %partition.display(),
            offset = length,
            bytes = missing,
            "brought back from the journal what the file lost when the machine failed"
        );
    }
    Ok(())
}

/// The first byte that somebody else wrote. A block that did not come to the disk before the machine failed reads as zeros,
/// which no line has.
fn first_change(found: &[u8], written: &[u8]) -> Option<usize> {
    let mut pairs = found.iter().zip(written);
    pairs.position(|(found, written)| found != written && *found != 0)
}
