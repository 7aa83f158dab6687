//! Opens the log of a partition as a process left it, however that ended.
//!
//! A segment is read from its checkpoint on; what is before was on the disk. Where the rest of the last segment is no whole
//! record and nothing whole follows, it is a torn tail: cut and reported. Anything else that is no record is damage: it is
//! reported, stays where it is, and whoever reads there is told.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use super::files::FileKind;
use super::index::{self, ENTRY_BYTES, Entry, INTERVAL};
use super::log::{Segment, View, segment_path};
use super::scan::{Scan, Step};

/// The segments in `folder`, which need not exist.
///
/// # Errors
/// A file cannot be read or cut.
pub(crate) fn open(folder: &Path) -> io::Result<View> {
    let bases = bases(folder)?;
    let mut view = View::default();
    for (at, base) in bases.iter().enumerate() {
        let next = bases.get(at + 1).copied();
        let (segment, end) = open_segment(folder, *base, next)?;
        view.segments.push_back(segment);
        view.end = end;
    }
    Ok(view)
}

/// The first offset in the name of a segment's file, and what it holds; `None` for a file that is no segment's.
pub(crate) fn parse_name(name: &str) -> Option<(u64, FileKind)> {
    let (digits, extension) = name.split_once('.')?;
    let kind = match extension {
        "log" => FileKind::Log,
        "index" => FileKind::Index,
        _ => return None,
    };
    let is_base = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((is_base.then(|| digits.parse().ok()).flatten()?, kind))
}

/// The first offsets of the segments, in order. Indexes without a log are removed; other files are left alone.
pub(crate) fn bases(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let (mut logs, mut indexes) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = entry?.file_name();
        match name.to_str().and_then(parse_name) {
            Some((base, FileKind::Log)) => logs.push(base),
            Some((base, FileKind::Index)) => indexes.push(base),
            None => {
                tracing::warn!(file = %folder.join(&name).display(), "left alone: is no file of a segment");
            }
        }
    }
    logs.sort_unstable();
    for base in indexes {
        if logs.binary_search(&base).is_err() {
            // Retention or a loss of power left it.
            let path = segment_path(folder, base, FileKind::Index);
            if index::is_one(&path)? {
                fs::remove_file(path)?;
            } else {
                tracing::warn!(file = %path.display(), "left alone: is no index of a segment");
            }
        }
    }
    Ok(logs)
}

/// A segment and the offset after its last record. `next` is the base of the one that follows.
fn open_segment(folder: &Path, base: u64, next: Option<u64>) -> io::Result<(Segment, u64)> {
    let path = segment_path(folder, base, FileKind::Log);
    let log = OpenOptions::new().read(true).write(true).open(&path)?;
    let bytes = log.metadata()?.len();
    let last = last_entry(&segment_path(folder, base, FileKind::Index), bytes)?;
    let last = last.filter(|(_, entry)| entry.offset >= base);
    let on_disk = last.map_or(0, |(number, _)| number + 1);
    let first = Entry {
        offset: base,
        ..Entry::default()
    };
    let checkpoint = last.map_or(first, |(_, entry)| entry);
    let mut segment = Segment {
        base,
        bytes,
        last_append: checkpoint.last_append,
        on_disk,
        checkpoint,
        pending: Vec::new(),
    };
    if checkpoint.position == bytes && next.is_none_or(|next| next == checkpoint.offset) {
        return Ok((segment, checkpoint.offset));
    }
    let end = read_on(&log, &path, &mut segment, next)?;
    if let Some(next) = next {
        if end != next {
            tracing::error!(
                file = %path.display(),
                offset = end,
                missing = next.saturating_sub(end),
                "damaged: the last records of a segment are not there"
            );
        }
        return Ok((segment, next));
    }
    Ok((segment, end))
}

/// The last entry of an index that need not exist; what is after it is cut off.
fn last_entry(path: &Path, log_bytes: u64) -> io::Result<Option<(u64, Entry)>> {
    let index = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        index => index?,
    };
    let last = index::last(&index, log_bytes)?;
    if let Some((_, synced)) = index::last(&index, u64::MAX)?
        && synced.position > log_bytes
    {
        tracing::error!(
            index = %path.display(),
            synced = synced.position,
            bytes = log_bytes,
            "damaged: a segment is shorter than what was on the disk"
        );
    }
    let bytes = last.map_or(0, |(number, _)| (number + 1) * ENTRY_BYTES);
    if index.metadata()?.len() != bytes {
        index.set_len(bytes)?;
    }
    Ok(last)
}

/// Reads from the checkpoint on, cuts a torn tail, and gives the offset after the last record.
fn read_on(log: &File, path: &Path, segment: &mut Segment, next: Option<u64>) -> io::Result<u64> {
    let mut scan = Scan::new(log, segment.checkpoint.position, segment.bytes);
    let mut expected = segment.checkpoint.offset;
    let mut indexed = segment.checkpoint.position;
    loop {
        match scan.step(expected)? {
            Step::Record { frame, position } => {
                if position - indexed >= INTERVAL {
                    segment.pending.push(Entry {
                        offset: expected,
                        position,
                        last_append: segment.last_append,
                    });
                    indexed = position;
                }
                segment.last_append = frame.append_time;
                expected += 1;
            }
            Step::Hole(Some((found, position))) if next.is_none_or(|next| found.offset < next) => {
                tracing::error!(
                    file = %path.display(),
                    offset = expected,
                    bytes = position - scan.position(),
                    "damaged: no record where one should be"
                );
                scan.skip_to(position);
                expected = found.offset;
            }
            Step::Hole(_) if next.is_none() => {
                let cut = segment.bytes - scan.position();
                tracing::warn!(
                    file = %path.display(),
                    offset = expected,
                    bytes = cut,
                    "a torn tail is cut"
                );
                segment.bytes = scan.position();
                log.set_len(segment.bytes)?;
                return Ok(expected);
            }
            Step::Hole(_) | Step::End => return Ok(expected),
        }
    }
}
