//! A file in blocks of whole lines, handed out one after the other.

use std::fs::File;
use std::io;

use bytes::Bytes;

use crate::entry::MAX_LINE_BYTES;
use crate::file::read_up_to;

/// Bytes of a file that one thread checks at a time.
const BLOCK_BYTES: usize = 1024 * 1024;

/// Cuts the file into blocks of whole lines.
pub(super) struct Blocks<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    next: u64,
}

/// Some lines of the file.
pub(super) struct Block {
    pub(super) number: u64,
    /// Whole lines; what stands behind the last line end is a torn line.
    pub(super) lines: Bytes,
    /// Bytes of a torn line, at the end of the file.
    pub(super) torn: u64,
    /// The offset behind it.
    pub(super) end: u64,
    pub(super) too_long: bool,
}

impl<'a> Blocks<'a> {
    /// The first `end` bytes of `file`.
    pub(super) fn new(file: &'a File, end: u64) -> Self {
        Self {
            file,
            at: 0,
            end,
            next: 0,
        }
    }

    pub(super) fn next_block(&mut self) -> io::Result<Option<Block>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let number = self.next;
        self.next += 1;
        let mut size = BLOCK_BYTES;
        loop {
            let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            let mut bytes = vec![0; size.min(left)];
            let length = read_up_to(self.file, &mut bytes, self.at)?;
            bytes.truncate(length);
            // A file that became shorter while it is read ends here.
            let is_last = length == left || length < size;
            let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
            let too_long = whole == 0 && !is_last && size > MAX_LINE_BYTES;
            if whole == 0 && !is_last && !too_long {
                size = (size * 4).min(MAX_LINE_BYTES + 1);
                continue;
            }
            bytes.truncate(whole);
            self.at += whole as u64;
            let mut torn = 0;
            if is_last || too_long {
                torn = (length - whole) as u64;
                self.at = self.end;
            }
            return Ok(Some(Block {
                number,
                lines: bytes.into(),
                torn,
                end: self.at,
                too_long,
            }));
        }
    }
}
