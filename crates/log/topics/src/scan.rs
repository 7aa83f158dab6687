//! Goes through the records of a log file without taking them apart.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::record::{Found, Frame, HEAD_BYTES, frame};

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Goes from record to record, up to a limit.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    file: &'a File,
    position: u64,
    limit: u64,
    /// What the file has from `position` on, as far as it was read.
    window: Vec<u8>,
    /// Of `window`, consumed.
    used: usize,
}

/// What is at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The record that was expected.
    Record {
        frame: Frame,
        /// Where it begins.
        position: u64,
    },
    /// Something else; the next thing that is a record, with its place, if there is one.
    Hole(Option<(Frame, u64)>),
    /// The limit.
    End,
}

impl<'a> Scan<'a> {
    /// From `position`, where a record begins, to `limit`.
    pub(crate) fn new(file: &'a File, position: u64, limit: u64) -> Self {
        Self {
            file,
            position,
            limit,
            window: Vec::new(),
            used: 0,
        }
    }

    /// Where the next record begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Goes over the record `expected`. A hole is not gone over, unless [`skip_to`](Self::skip_to) is called.
    pub(crate) fn step(&mut self, expected: u64) -> io::Result<Step> {
        if self.position >= self.limit {
            return Ok(Step::End);
        }
        if let Some((found, size)) = self.frame_here()?
            && found.offset == expected
        {
            let position = self.position;
            self.advance(size);
            return Ok(Step::Record {
                frame: found,
                position,
            });
        }
        Ok(Step::Hole(self.next_record(expected)?))
    }

    /// Goes on at `position`, which is further on.
    pub(crate) fn skip_to(&mut self, position: u64) {
        let bytes = usize::try_from(position - self.position).unwrap_or(usize::MAX);
        self.advance(bytes);
    }

    fn advance(&mut self, bytes: usize) {
        self.position += bytes as u64;
        self.used = self.used.saturating_add(bytes).min(self.window.len());
        if self.used == self.window.len() {
            self.window.clear();
            self.used = 0;
        }
    }

    fn frame_here(&mut self) -> io::Result<Option<(Frame, usize)>> {
        let mut wanted = HEAD_BYTES;
        loop {
            match frame(self.bytes(wanted)?) {
                Found::Record(found, size) => return Ok(Some((found, size))),
                Found::Incomplete(size) if self.left() >= size as u64 && size > wanted => {
                    wanted = size;
                }
                Found::Incomplete(_) | Found::Damaged => return Ok(None),
            }
        }
    }

    /// The first place further on that holds a record after `expected`, one that can be there by its offset.
    fn next_record(&mut self, expected: u64) -> io::Result<Option<(Frame, u64)>> {
        let mut ahead = Scan::new(self.file, self.position, self.limit);
        let most = expected.saturating_add(self.left() / HEAD_BYTES as u64);
        while ahead.left() > HEAD_BYTES as u64 {
            ahead.advance(1);
            let bytes = ahead.bytes(HEAD_BYTES)?;
            let Some(offset) = bytes.get(8..16).and_then(|bytes| bytes.try_into().ok()) else {
                break;
            };
            // Far cheaper than a checksum at every byte.
            if !(expected..=most).contains(&u64::from_le_bytes(offset)) {
                continue;
            }
            if let Some((found, _)) = ahead.frame_here()? {
                return Ok(Some((found, ahead.position)));
            }
        }
        Ok(None)
    }

    fn left(&self) -> u64 {
        self.limit - self.position
    }

    /// What is there from the present place on: `wanted` bytes or more, fewer only before the limit.
    fn bytes(&mut self, wanted: usize) -> io::Result<&[u8]> {
        if self.window.len() - self.used < wanted {
            self.window.drain(..self.used);
            self.used = 0;
            let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
            let have = self.window.len();
            let size = wanted.max(CHUNK_BYTES).min(left).max(have);
            self.window.resize(size, 0);
            let read = read_at(
                self.file,
                &mut self.window[have..],
                self.position + have as u64,
            )?;
            self.window.truncate(have + read);
        }
        Ok(&self.window[self.used..])
    }
}

/// Fills `buffer` from `position` as far as the file goes.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NewRecord;

    fn file(values: &[usize]) -> (File, Vec<u64>) {
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        for (offset, size) in values.iter().enumerate() {
            places.push(bytes.len() as u64);
            let value = vec![7; *size].into();
            NewRecord {
                value,
                ..NewRecord::default()
            }
            .encode(offset as u64, 9, &mut bytes);
        }
        places.push(bytes.len() as u64);
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(&bytes, 0).expect("written");
        (file, places)
    }

    #[test]
    fn records_of_all_sizes_are_found() {
        let (file, places) = file(&[0, 10, 300_000, 1, 262_100, 262_144, 5_000_000, 3]);
        let end = places[places.len() - 1];
        let mut scan = Scan::new(&file, 0, end);
        for (offset, place) in places[..places.len() - 1].iter().enumerate() {
            let frame = Frame {
                offset: offset as u64,
                append_time: 9,
            };
            let expected = Step::Record {
                frame,
                position: *place,
            };
            assert_eq!(scan.step(offset as u64).expect("read"), expected);
        }
        assert_eq!(scan.step(8).expect("read"), Step::End);
    }

    #[test]
    fn what_comes_after_a_hole_is_found() {
        let (file, places) = file(&[100, 300_000, 100, 100]);
        let end = places[4];
        file.write_all_at(&[1], places[1] + 200).expect("damaged");
        let mut scan = Scan::new(&file, 0, end);
        assert!(matches!(scan.step(0).expect("read"), Step::Record { .. }));
        let Step::Hole(Some((frame, position))) = scan.step(1).expect("read") else {
            panic!("no hole");
        };
        assert_eq!((frame.offset, position), (2, places[2]));
        scan.skip_to(position);
        assert!(matches!(scan.step(2).expect("read"), Step::Record { .. }));
        // Half a record at the end.
        let mut scan = Scan::new(&file, places[3], end - 1);
        assert_eq!(scan.step(3).expect("read"), Step::Hole(None));
    }
}
