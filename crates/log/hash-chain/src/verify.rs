//! Whether a chain is whole: every line, every hash, every link. Blocks of lines are checked on several cores at once, as
//! many as [`Checks`] allows for all verifications together; memory is bounded by their size.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};

use bytes::Bytes;

use super::canonical::{self, KeyOrder};
use super::entry::{Entry, EntryHash, Hash, MAX_LINE_BYTES, NUMBER_BYTES, decimal};
use super::name::PartitionName;

mod blocks;
mod checks;

use blocks::{Block, Blocks};
pub use checks::Checks;

/// What a check of a partition found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether there is no fault.
    pub valid: bool,
    /// Entries before the fault, or all.
    pub entries_verified: u64,
    /// The hash of the last of these, [`Hash::NONE`] without any.
    pub final_hash: Hash,
    /// The fault: the line, from 1, and what was expected there.
    pub error: Option<String>,
}

impl Verification {
    pub(super) fn broken(error: String) -> Self {
        Self {
            valid: false,
            entries_verified: 0,
            final_hash: Hash::NONE,
            error: Some(error),
        }
    }
}

/// Checks the first `end` bytes of `file`. `progress` is told the bytes that are done, now and then.
pub(super) fn verify(
    file: &File,
    name: &PartitionName,
    end: u64,
    checks: &Checks,
    mut progress: impl FnMut(u64),
) -> io::Result<Verification> {
    let threads = checks.at_once();
    let blocks = Mutex::new(Blocks::new(file, end));
    let stop = AtomicBool::new(false);
    // A thread waits here until its block's turn has come: no more than two for each are in memory.
    let (checked, results) = mpsc::sync_channel(threads);
    let mut chain = Chain::default();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let checked = checked.clone();
            let (blocks, stop) = (&blocks, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let block = blocks
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .next_block();
                    let result = match block {
                        Ok(None) => break,
                        Ok(Some(block)) => Ok(checks.run(|| block.check(name))),
                        Err(error) => Err(error),
                    };
                    if checked.send(result).is_err() {
                        break;
                    }
                }
            });
        }
        drop(checked);
        let mut early = BTreeMap::new();
        let mut next = 0;
        for result in results {
            let result = result.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            early.insert(result.number, result);
            while let Some(result) = early.remove(&next) {
                next += 1;
                progress(result.end);
                if !chain.join(result) {
                    stop.store(true, Ordering::Relaxed);
                    return Ok(());
                }
            }
        }
        Ok::<_, io::Error>(())
    })?;
    Ok(chain.into_verification())
}

/// Whether an entry is this partition's and has the hash that it should have. `scratch` is room to work in.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with "line 5: ".
pub(super) fn check(
    entry: &Entry,
    name: &PartitionName,
    scratch: &mut Vec<u8>,
) -> Result<(), String> {
    if !entry.is_of(name) {
        let found = entry.partition().unwrap_or_default();
        return Err(format!(
            "partition is '{found}', expected '{}'",
            name.as_str()
        ));
    }
    scratch.clear();
    let written = canonical::write(entry.data().as_bytes(), KeyOrder::Sorted, scratch);
    let found = written.map_err(|refused| format!("data {refused}"))?;
    if found.spaced {
        return Err("data has spaces, expected none".to_owned());
    }
    // The last one is hashed; a reader may take the first.
    if found.repeated {
        return Err("data has a key twice".to_owned());
    }
    let Some(before) = Hash::parse(entry.prev_hash().as_bytes()) else {
        return Err("prev_hash is no hash".to_owned());
    };
    let mut digits = [0; NUMBER_BYTES];
    let seq = decimal(entry.seq(), &mut digits);
    let expected =
        EntryHash::begin(scratch).finish(name.json(), &before, seq, entry.ts().as_bytes());
    if expected != *entry.hash() {
        return Err(format!("hash is {}, expected {expected}", entry.hash()));
    }
    Ok(())
}

/// What a thread found in a block.
struct Checked {
    number: u64,
    end: u64,
    /// Entries before the fault, or all.
    entries: u64,
    /// Number and link of the first entry.
    first: Option<(u64, Hash)>,
    last_hash: Hash,
    fault: Option<String>,
    torn: u64,
}

impl Block {
    fn check(&self, name: &PartitionName) -> Checked {
        let mut checked = Checked {
            number: self.number,
            end: self.end,
            entries: 0,
            first: None,
            last_hash: Hash::NONE,
            fault: None,
            torn: self.torn,
        };
        let mut scratch = Vec::new();
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', &self.lines) {
            if let Err(fault) = checked.line(self.lines.slice(begin..end), name, &mut scratch) {
                checked.fault = Some(fault);
                break;
            }
            begin = end + 1;
        }
        if self.too_long && checked.fault.is_none() {
            checked.fault = Some(format!("is longer than {MAX_LINE_BYTES} bytes"));
        }
        checked
    }
}

impl Checked {
    fn line(
        &mut self,
        line: Bytes,
        name: &PartitionName,
        scratch: &mut Vec<u8>,
    ) -> Result<(), String> {
        let entry = Entry::parse(line).map_err(|malformed| malformed.to_string())?;
        let before = Hash::parse(entry.prev_hash().as_bytes()).unwrap_or(Hash::NONE);
        match self.first {
            // How it goes on from the block before is not known here.
            None => self.first = Some((entry.seq(), before)),
            Some((seq, _)) => {
                linked((entry.seq(), before), (seq + self.entries, self.last_hash))?;
            }
        }
        check(&entry, name, scratch)?;
        self.entries += 1;
        self.last_hash = *entry.hash();
        Ok(())
    }
}

/// Whether number and link are the expected ones.
pub(super) fn linked(found: (u64, Hash), expected: (u64, Hash)) -> Result<(), String> {
    if found.0 != expected.0 {
        return Err(format!("seq is {}, expected {}", found.0, expected.0));
    }
    if found.1 != expected.1 {
        return Err(format!("prev_hash is {}, expected {}", found.1, expected.1));
    }
    Ok(())
}

/// The chain so far.
struct Chain {
    entries: u64,
    last_hash: Hash,
    fault: Option<String>,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            entries: 0,
            last_hash: Hash::NONE,
            fault: None,
        }
    }
}

impl Chain {
    /// Goes on with the next block; false at a fault.
    fn join(&mut self, block: Checked) -> bool {
        let line = self.entries + 1;
        if let Some(first) = block.first
            && let Err(fault) = linked(first, (self.entries, self.last_hash))
        {
            self.fault = Some(format!("line {line}: {fault}"));
            return false;
        }
        self.entries += block.entries;
        if block.entries > 0 {
            self.last_hash = block.last_hash;
        }
        let line = self.entries + 1;
        if let Some(fault) = block.fault {
            let colon = if fault.starts_with("is ") { "" } else { ":" };
            self.fault = Some(format!("line {line}{colon} {fault}"));
        } else if block.torn > 0 {
            self.fault = Some(format!(
                "line {line} is torn: {} bytes without a line end; expected one; the {} entries before it are whole",
                block.torn, self.entries
            ));
        }
        self.fault.is_none()
    }

    fn into_verification(self) -> Verification {
        Verification {
            valid: self.fault.is_none(),
            entries_verified: self.entries,
            final_hash: self.last_hash,
            error: self.fault,
        }
    }
}
