//! Entries in order, from a place in the file on. Memory is bounded by what is asked for at a time, or one line.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;

use super::entry::{self, Entry, Hash, MAX_LINE_BYTES};
use super::error::ChainError;
use super::file::{self, read_up_to};
use super::name::PartitionName;
use super::verify::linked;

/// Distance below which lines are read rather than jumped over.
const JUMP_BYTES: u64 = 64 * 1024;
/// Longer than a write takes between two of its pages.
const SETTLING_TIME: Duration = Duration::from_millis(200);
/// What is read to find the next line's head, at first.
const PROBE_BYTES: usize = 4 * 1024;

/// Reads one partition's file.
#[derive(Debug)]
pub(super) struct Reader {
    file: File,
    path: PathBuf,
    name: PartitionName,
    /// The offset of the next line.
    at: u64,
    /// Number and hash of the entry before it, where it was read.
    before: Option<(u64, Hash)>,
}

/// Entries that were read together.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    /// In order.
    pub entries: Vec<Entry>,
    /// Their lines as they stand in the file.
    pub lines: Bytes,
}

impl Reader {
    /// Reads `file`, whose path is for messages, from its beginning.
    pub(super) fn new(file: File, path: PathBuf, name: PartitionName) -> Self {
        Self {
            file,
            path,
            name,
            at: 0,
            before: None,
        }
    }

    /// The length of the file, once no line is under way: what another process writes may be seen in parts. A torn line
    /// stays one.
    pub(super) fn settled_length(&self) -> Result<u64, ChainError> {
        let mut before = None;
        loop {
            let length = self.file_length()?;
            if before == Some(length) || file::whole_end(&self.file, length)? == length {
                return Ok(length);
            }
            before = Some(length);
            std::thread::sleep(SETTLING_TIME);
        }
    }

    /// The length of the file now.
    pub(super) fn file_length(&self) -> Result<u64, ChainError> {
        Ok(self.file.metadata()?.len())
    }

    /// The last entry before the offset `end`.
    pub(super) fn last(&self, end: u64) -> Result<Option<Entry>, ChainError> {
        let end = file::whole_end(&self.file, end)?;
        if end == 0 {
            return Ok(None);
        }
        let damaged =
            |what: &str| ChainError::damaged(&self.path, &format!("the last line {what}"));
        let (_, line) = match file::last_line(&self.file, end) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(damaged("is too long"));
            }
            line => line?,
        };
        let entry = Entry::parse(line).map_err(|malformed| damaged(&malformed.to_string()))?;
        if !entry.is_of(&self.name) {
            return Err(damaged("is an entry of another partition"));
        }
        Ok(Some(entry))
    }

    /// What a check needs.
    pub(super) fn into_parts(self) -> (File, PartitionName) {
        (self.file, self.name)
    }

    /// Goes on behind the last whole line before the offset `end`.
    pub(super) fn jump_behind(&mut self, end: u64) -> Result<(), ChainError> {
        let end = file::whole_end(&self.file, end)?;
        self.jump(end);
        Ok(())
    }

    /// Goes on at `offset`, where a line begins or will begin.
    fn jump(&mut self, offset: u64) {
        self.at = offset;
        self.before = None;
    }

    /// Goes on at the entry `seq`, or behind the last one if there is none in the first `end` bytes. Looks at about as many
    /// lines as `end` has binary digits.
    pub(super) fn seek(&mut self, seq: u64, end: u64) -> Result<(), ChainError> {
        if seq == 0 {
            return Ok(());
        }
        let (mut left, mut right) = (0, end);
        while right - left > JUMP_BYTES {
            let middle = left + (right - left) / 2;
            match self.line_after(middle, right)? {
                Some((begin, found)) if found <= seq => left = begin,
                // No line begins between the middle and there.
                _ => right = middle,
            }
        }
        self.jump(left);
        // What is passed over is not looked at: damage there is no reason not to read on behind it.
        loop {
            let lines = self.lines(end, PROBE_BYTES)?;
            if lines.is_empty() {
                return Ok(());
            }
            let mut begin = 0;
            for line_end in memchr::memchr_iter(b'\n', &lines) {
                let head = entry::head(&lines[begin..line_end]);
                if head.is_some_and(|head| head.seq >= seq) {
                    break;
                }
                begin = line_end + 1;
            }
            self.jump(self.at + begin as u64);
            if begin < lines.len() {
                return Ok(());
            }
        }
    }

    /// Offset and number of the first line that begins behind `from` and before `end` and has the head of an entry.
    fn line_after(&self, from: u64, end: u64) -> Result<Option<(u64, u64)>, ChainError> {
        let mut size = PROBE_BYTES;
        loop {
            let left = usize::try_from(end - from).unwrap_or(usize::MAX);
            let mut bytes = vec![0; size.min(left)];
            let length = read_up_to(&self.file, &mut bytes, from)?;
            let bytes = &bytes[..length];
            let found = memchr::memchr_iter(b'\n', bytes).find_map(|at| {
                let head = entry::head(&bytes[at + 1..])?;
                Some((from + at as u64 + 1, head.seq))
            });
            if found.is_some() || length == left || length < size || size > MAX_LINE_BYTES {
                return Ok(found);
            }
            size = (size * 4).min(MAX_LINE_BYTES + 1);
        }
    }

    /// The next entries before the offset `end`: about `want` bytes of them, at least one, none when they are all read. A
    /// line without an end is no entry yet. Damage is told when it is next.
    ///
    /// # Errors
    /// A line that is no entry or does not follow the one before; the file cannot be read.
    pub(super) fn read(&mut self, end: u64, want: usize) -> Result<Chunk, ChainError> {
        let mut lines = self.lines(end, want)?;
        let mut entries = Vec::new();
        let mut begin = 0;
        for line_end in memchr::memchr_iter(b'\n', &lines) {
            match self.entry(lines.slice(begin..line_end), begin) {
                Ok(entry) => {
                    self.before = Some((entry.seq(), *entry.hash()));
                    entries.push(entry);
                    begin = line_end + 1;
                }
                Err(what) if begin == 0 => return Err(ChainError::damaged(&self.path, &what)),
                Err(_) => break,
            }
        }
        lines.truncate(begin);
        self.at += begin as u64;
        Ok(Chunk { entries, lines })
    }

    /// The next whole lines before the offset `end`: about `want` bytes of them, at least one, none when they are all read.
    fn lines(&self, end: u64, want: usize) -> Result<Bytes, ChainError> {
        let mut size = want.max(1);
        loop {
            let left = usize::try_from(end.saturating_sub(self.at)).unwrap_or(usize::MAX);
            let mut bytes = vec![0; size.min(left)];
            let length = read_up_to(&self.file, &mut bytes, self.at)?;
            bytes.truncate(length);
            let is_all = length == left || length < size;
            match memchr::memrchr(b'\n', &bytes) {
                Some(last) => {
                    bytes.truncate(last + 1);
                    return Ok(bytes.into());
                }
                None if is_all => return Ok(Bytes::new()),
                None if size > MAX_LINE_BYTES => {
                    let what = format!("the line at byte {} is too long", self.at);
                    return Err(ChainError::damaged(&self.path, &what));
                }
                None => size = (size * 4).min(MAX_LINE_BYTES + 1),
            }
        }
    }

    /// The entry in the line that is `behind` bytes behind the next, or what is wrong with it.
    fn entry(&self, line: Bytes, behind: usize) -> Result<Entry, String> {
        let at = self.at + behind as u64;
        let wrong = |what: String| format!("the line at byte {at} {what}");
        let entry = Entry::parse(line).map_err(|malformed| wrong(malformed.to_string()))?;
        if !entry.is_of(&self.name) {
            return Err(wrong("is an entry of another partition".to_owned()));
        }
        let found = Hash::parse(entry.prev_hash().as_bytes()).unwrap_or(Hash::NONE);
        let expected = match self.before {
            Some((seq, hash)) => (seq + 1, hash),
            None if at == 0 => (0, Hash::NONE),
            None => return Ok(entry),
        };
        linked((entry.seq(), found), expected)
            .map_err(|fault| wrong(format!("does not follow: {fault}")))?;
        Ok(entry)
    }
}
