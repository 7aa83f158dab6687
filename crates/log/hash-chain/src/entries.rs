//! A partition's entries as a stream: what is there, and with `follow` what comes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::error::ChainError;
use super::partition::Partition;
use super::reader::{Chunk, Reader};

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 128 * 1024;
/// From one look at a file that another process writes to the next.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Up to where a file is read.
#[derive(Debug)]
pub(super) enum End {
    /// Up to here.
    At(u64),
    /// As far as this process shows what it appends.
    Shown(
        watch::Receiver<u64>,
        #[expect(dead_code, reason = "keeps the partition open")] Arc<Partition>,
    ),
    /// As far as the file goes when it is looked at: another process may append.
    OfFile,
}

impl End {
    pub(super) fn now(&self, reader: &Reader) -> Result<u64, ChainError> {
        match self {
            Self::At(end) => Ok(*end),
            Self::Shown(shown, _) => Ok(*shown.borrow()),
            Self::OfFile => reader.file_length(),
        }
    }
}

/// Entries in order, from the place that was asked for. After an error it ends.
#[derive(Debug)]
pub struct Entries {
    /// `None` while a thread reads, and after an error.
    reader: Option<Reader>,
    end: End,
    follow: bool,
    left: u64,
    /// Entries before this one are left out: a place that was not there yet when it was asked for.
    from: u64,
}

impl Entries {
    /// At most `limit` entries; with `follow` it waits for those to come.
    pub(super) fn new(reader: Reader, end: End, follow: bool, limit: Option<u64>) -> Self {
        Self {
            reader: Some(reader),
            end,
            follow,
            left: limit.unwrap_or(u64::MAX),
            from: 0,
        }
    }

    /// Leaves out what comes before `seq`.
    pub(super) fn starting_at(mut self, seq: u64) -> Self {
        self.from = seq;
        self
    }

    /// The next entries, at least one; `None` at the end. Not to be called again when it was dropped before it was done.
    ///
    /// # Errors
    /// Damage, named; the file cannot be read.
    pub async fn next(&mut self) -> Result<Option<Chunk>, ChainError> {
        while self.left > 0 {
            let Some(mut reader) = self.reader.take() else {
                break;
            };
            let end = self.end.now(&reader)?;
            let read = tokio::task::spawn_blocking(move || {
                let chunk = reader.read(end, CHUNK_BYTES)?;
                Ok::<_, ChainError>((reader, chunk))
            });
            let (reader, chunk) = read.await.map_err(std::io::Error::from)??;
            self.reader = Some(reader);
            if !chunk.entries.is_empty() {
                let chunk = self.limited(chunk);
                if chunk.entries.is_empty() {
                    continue;
                }
                return Ok(Some(chunk));
            }
            if !self.follow {
                break;
            }
            match &mut self.end {
                End::Shown(shown, _) => {
                    // The sender is gone when nothing is appended any more.
                    if shown.wait_for(|now| *now > end).await.is_err() {
                        break;
                    }
                }
                _ => tokio::time::sleep(POLL_EVERY).await,
            }
        }
        Ok(None)
    }

    /// [`next`](Self::next) on this thread, without waiting for what is to come.
    ///
    /// # Errors
    /// Damage, named; the file cannot be read.
    pub fn next_blocking(&mut self) -> Result<Option<Chunk>, ChainError> {
        let Some(reader) = self.reader.as_mut().filter(|_| self.left > 0) else {
            return Ok(None);
        };
        let end = self.end.now(reader)?;
        let chunk = reader
            .read(end, CHUNK_BYTES)
            .inspect_err(|_| self.left = 0)?;
        if chunk.entries.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.limited(chunk)))
    }

    fn limited(&mut self, mut chunk: Chunk) -> Chunk {
        if chunk
            .entries
            .first()
            .is_some_and(|entry| entry.seq() < self.from)
        {
            let early = chunk
                .entries
                .partition_point(|entry| entry.seq() < self.from);
            let lines = chunk
                .entries
                .drain(..early)
                .map(|entry| entry.line().len() + 1);
            chunk.lines = chunk.lines.slice(lines.sum::<usize>()..);
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX);
        if chunk.entries.len() > count {
            chunk.entries.truncate(count);
            let lines = chunk.entries.iter().map(|entry| entry.line().len() + 1);
            chunk.lines.truncate(lines.sum());
        }
        self.left -= chunk.entries.len() as u64;
        chunk
    }
}
