//! A partition that is written to: where its chain ends, and the sink that goes on with it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use group_commit::{Durability, GroupCommit, Sink, Terms, sync_names};
use tokio::sync::{Semaphore, watch};

use super::data::Data;
use super::entry::{Appended, Entry, Hash, NUMBER_BYTES, Timestamp, decimal, write_line};
use super::error::ChainError;
use super::file::{self, Owner};
use super::journal::{self, Journaling};
use super::name::PartitionName;
use super::verify::{self, Checks};
use crate::counters::Counters;

/// How a log is written to.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// When an append counts as done.
    pub durability: Durability,
    /// Appends that may wait for one partition, their bytes for all together.
    pub terms: Terms,
    /// Partitions that may have a journal at a time, for all that is appended steadily and synced.
    pub journals: Arc<Semaphore>,
    /// Counters.
    pub counters: Counters,
    /// How many blocks of chains are checked at a time, for all verifications together.
    pub checks: Checks,
}

/// Journals at a time without another word: 256 MiB of them.
const JOURNALS: usize = 64;

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Synced,
            terms: Terms::default(),
            journals: Arc::new(Semaphore::new(JOURNALS)),
            counters: Counters::default(),
            checks: Checks::default(),
        }
    }
}

/// An open partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) name: PartitionName,
    pub(super) path: PathBuf,
    pub(super) appends: GroupCommit<ChainSink>,
    /// Bytes of the file that readers may see: whole lines, durable as far as was asked for.
    pub(super) shown: watch::Receiver<u64>,
}

impl Partition {
    /// Opens the partition of this name in `folder` where its chain ends. A torn last line is cut and reported. `None` where
    /// there is no file and none is to be made.
    pub(super) fn open(
        folder: &Path,
        name: PartitionName,
        options: &WriteOptions,
        create: bool,
    ) -> Result<Option<Self>, ChainError> {
        let path = name.file(folder);
        let known = existing(&path)?;
        if let Some(file) = &known {
            // Before anything is cut or brought back: it may be somebody else's.
            check_owner(file, &path, &name)?;
        }
        journal::recover(&path)?;
        let file = match known {
            Some(file) => file,
            None if create => new_file(&path, folder)?,
            None => return Ok(None),
        };
        let length = cut_torn_line(&file, &path)?;
        let (next_seq, last_hash) = chain_end(&file, &path, &name, length)?;
        let (shown, shown_to) = watch::channel(length);
        let sink = ChainSink {
            name: name.clone(),
            file,
            length,
            next_seq,
            last_hash,
            written: (next_seq, last_hash),
            buffer: Vec::new(),
            journaling: Journaling::new(path.clone(), length, Arc::clone(&options.journals)),
            durability: options.durability,
            shown,
            counters: options.counters.clone(),
        };
        Ok(Some(Self {
            name,
            path,
            appends: GroupCommit::new(sink, options.terms.clone()),
            shown: shown_to,
        }))
    }
}

fn existing(path: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).append(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether entries of `name` may be appended to the file.
fn check_owner(file: &File, path: &Path, name: &PartitionName) -> Result<(), ChainError> {
    let stranger = "is not a chain: nothing is appended to it; move it away or choose another name";
    if !file.metadata()?.is_file() {
        return Err(ChainError::damaged(path, stranger));
    }
    match file::owner(file, name.stem())? {
        Owner::Name(owner) if owner != name.as_str() => Err(ChainError::Taken {
            name: name.as_str().to_owned(),
            file: path.file_name().unwrap_or_default().display().to_string(),
            owner,
        }),
        Owner::Stranger => Err(ChainError::damaged(path, stranger)),
        Owner::Name(_) | Owner::Nobody | Owner::Torn | Owner::Damaged => Ok(()),
    }
}

fn new_file(path: &Path, folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).open(path)?;
    // Before the first append is acknowledged its file must be there to stay.
    sync_names(folder)?;
    Ok(file)
}

/// Cuts what stands behind the last line end; gives the length that is left.
pub(super) fn cut_torn_line(file: &File, path: &Path) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let whole = file::whole_end(file, length)?;
    if whole < length {
        file.set_len(whole)?;
        file.sync_all()?;
        tracing::warn!(
            file = %path.display(),
            offset = whole,
            bytes = length - whole,
            "cut a torn last line, left by a crash"
        );
    }
    Ok(whole)
}

/// The next number and the hash before it.
fn chain_end(
    file: &File,
    path: &Path,
    name: &PartitionName,
    length: u64,
) -> Result<(u64, Hash), ChainError> {
    let damaged = |what: &str| Err(ChainError::damaged(path, what));
    if length == 0 {
        return Ok((0, Hash::NONE));
    }
    let (begin, line) = match file::last_line(file, length) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return damaged("the last line is too long");
        }
        found => found?,
    };
    let entry = match Entry::parse(line) {
        Ok(entry) => entry,
        Err(reason) => return damaged(&format!("the last line, at byte {begin}, {reason}")),
    };
    match verify::check(&entry, name, &mut Vec::new()) {
        Ok(()) => Ok((entry.seq() + 1, *entry.hash())),
        Err(reason) => damaged(&format!("the last line, at byte {begin}: {reason}")),
    }
}

/// Numbers, stamps, chains and writes entries.
#[derive(Debug)]
pub(super) struct ChainSink {
    name: PartitionName,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    next_seq: u64,
    last_hash: Hash,
    /// Both as they were behind the last line that was written.
    written: (u64, Hash),
    /// A record for the journal: room for its head, then the batch's lines.
    buffer: Vec<u8>,
    /// How they come to the disk.
    journaling: Journaling,
    durability: Durability,
    shown: watch::Sender<u64>,
    counters: Counters,
}

/// A batch's lines are kept in memory of this size between batches, not more.
const BUFFER_KEPT_BYTES: usize = 1024 * 1024;

impl Sink for ChainSink {
    type Item = Data;
    type Answer = Appended;

    fn write(&mut self, batch: &mut Vec<Data>, answers: &mut Vec<Appended>) -> io::Result<()> {
        let entries = batch.len();
        self.buffer.clear();
        self.buffer.resize(journal::HEAD_BYTES, 0);
        for data in batch.drain(..) {
            let appended = self.chain(&data);
            answers.push(appended);
        }
        if let Err(error) = self.write_buffer() {
            answers.clear();
            return Err(error);
        }
        self.written = (self.next_seq, self.last_hash);
        let bytes = (self.buffer.len() - journal::HEAD_BYTES) as u64;
        self.length += bytes;
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        self.counters.wrote(entries as u64, bytes);
        if self.durability == Durability::Buffered {
            self.shown.send_replace(self.length);
        }
        Ok(())
    }

    /// What a later process finds behind the last line it cuts in any case.
    fn take_back(&mut self) -> io::Result<()> {
        (self.next_seq, self.last_hash) = self.written;
        self.file.set_len(self.length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.counters
            .sync(|| self.journaling.sync(&self.file, self.length))?;
        self.shown.send_replace(self.length);
        Ok(())
    }
}

impl ChainSink {
    /// Brings all lines to the disk in the partition's own file; what else held them goes.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.counters.sync(|| self.journaling.settle(&self.file))?;
        self.shown.send_replace(self.length);
        Ok(())
    }

    /// Into the file first: there is no line in the journal that was not there.
    fn write_buffer(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer[journal::HEAD_BYTES..])?;
        self.journaling.write(&mut self.buffer, self.length)
    }

    /// Appends the next line to the buffer.
    fn chain(&mut self, data: &Data) -> Appended {
        let timestamp = Timestamp::now();
        let mut digits = [0_u8; NUMBER_BYTES];
        let (seq, ts) = (decimal(self.next_seq, &mut digits), timestamp.text());
        let hash = data
            .hash
            .clone()
            .finish(self.name.json(), &self.last_hash, seq, &ts);
        write_line(
            (seq, &ts),
            &self.name,
            &self.last_hash,
            &data.stored,
            &hash,
            &mut self.buffer,
        );
        let appended = Appended {
            seq: self.next_seq,
            timestamp,
            hash,
        };
        self.next_seq += 1;
        self.last_hash = hash;
        appended
    }
}

impl Drop for ChainSink {
    fn drop(&mut self) {
        if self.journaling.has_journal()
            && let Err(error) = self.settle()
        {
            tracing::error!(%error, partition = self.name.as_str(), "the journal stays, for the next opening");
        }
    }
}
