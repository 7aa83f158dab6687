//! Commands on the files of a directory.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;
use group_commit::Directory;
use hash_chain::{ChainError, Log, WriteOptions};

use super::answer::{Appended, Verified, Wanted};
use super::command::ChainCommand;
use super::output::Lines;
use crate::anchors::{AnchorError, Anchors};

/// Files above this show how far a check has come.
const LARGE_FILE_BYTES: u64 = 64 * 1024 * 1024;
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

pub(super) struct Local(Log);

impl Local {
    /// Takes the directory's lock only where it is written to.
    pub(super) fn new(dir: PathBuf, command: &ChainCommand) -> anyhow::Result<Self> {
        let ChainCommand::Append { durability, .. } = command else {
            if !dir.is_dir() {
                bail!("no such directory: {}", dir.display());
            }
            return Ok(Self(Log::read_only(dir)));
        };
        let options = WriteOptions {
            durability: *durability,
            ..WriteOptions::default()
        };
        Ok(Self(Log::open(Directory::lock(dir)?, options)))
    }

    pub(super) async fn append(&self, partition: &str, data: &[u8]) -> anyhow::Result<Appended> {
        let appended = self.0.append(partition, data).await.map_err(told)?;
        Ok(Appended {
            seq: appended.seq,
            ts: appended.timestamp.to_string(),
            hash: appended.hash.to_string(),
        })
    }

    pub(super) async fn read(
        &self,
        partition: &str,
        wanted: Wanted,
        lines: Lines,
    ) -> anyhow::Result<()> {
        self.note_what_is_missing(partition);
        let entries = match wanted {
            Wanted::From { start, limit } => self.0.read(partition, start, limit).await,
            Wanted::Follow { start } => self.0.tail(partition, start, true).await,
        };
        let mut entries = entries.map_err(told)?;
        while let Some(chunk) = entries.next().await.map_err(told)? {
            if lines.send(chunk.lines.into()).await.is_err() {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn verify(
        &self,
        partition: String,
        anchors: Option<Anchors>,
    ) -> anyhow::Result<Verified> {
        self.note_what_is_missing(&partition);
        let (log, name) = (self.0.clone(), partition.clone());
        let verify = move || {
            let mut progress = Progress::new();
            let found = log.verify_blocking(&name, |done, all| progress.show(done, all));
            progress.end();
            found
        };
        let verify = async move {
            let verified = tokio::task::spawn_blocking(verify).await;
            verified.map_err(|error| ChainError::Io(std::io::Error::other(error)))?
        };
        let found = match anchors {
            Some(anchors) => match anchors.verify(&self.0, &partition, verify).await {
                Err(AnchorError::Chain(error)) => return Err(told(error)),
                found => found?,
            },
            None => verify.await.map_err(told)?,
        };
        Ok(Verified {
            valid: found.valid,
            entries: found.entries_verified,
            final_hash: found.final_hash.to_string(),
            error: found.error.unwrap_or_default(),
        })
    }

    pub(super) async fn list(&self) -> anyhow::Result<Vec<String>> {
        self.0.list().await.map_err(told)
    }

    /// Number and line of the last entry.
    pub(super) async fn last(&self, partition: &str) -> anyhow::Result<Option<(u64, Vec<u8>)>> {
        self.note_what_is_missing(partition);
        let last = self.0.last(partition).await.map_err(told)?;
        Ok(last.map(|entry| (entry.seq(), entry.line().to_vec())))
    }

    /// Says where entries are in the journal alone. A name or a journal that cannot be read is for the command to report.
    fn note_what_is_missing(&self, partition: &str) {
        if let Ok(bytes @ 1..) = self.0.unrecovered_bytes(partition) {
            tracing::warn!(
                bytes,
                "entries are in the partition's journal alone since the machine failed: append, or the next start of a \
                 server, brings them back"
            );
        }
    }
}

/// What clients are not told of the operating system's refusals is told here.
fn told(error: ChainError) -> anyhow::Error {
    match error {
        ChainError::Io(error) => error.into(),
        // Its message has that of its cause already.
        error => anyhow::Error::msg(error.to_string()),
    }
}

/// How far a check has come, on standard error.
struct Progress {
    shown: Instant,
    is_terminal: bool,
    any: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            shown: Instant::now(),
            is_terminal: std::io::stderr().is_terminal(),
            any: false,
        }
    }

    fn show(&mut self, done: u64, all: u64) {
        if all < LARGE_FILE_BYTES || self.shown.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.shown = Instant::now();
        self.any = true;
        let mebibytes = |bytes: u64| bytes / (1024 * 1024);
        self.write(&format!(
            "{} of {} MiB checked, {} %",
            mebibytes(done),
            mebibytes(all),
            done.saturating_mul(100) / all.max(1)
        ));
    }

    fn end(&self) {
        if self.any && self.is_terminal {
            self.write("");
        }
    }

    /// One line that is written over on a terminal, lines elsewhere. Progress that cannot be shown is no reason to stop.
    fn write(&self, text: &str) {
        let mut output = std::io::stderr().lock();
        let written = if self.is_terminal {
            write!(output, "\r\x1b[K{text}")
        } else {
            writeln!(output, "{text}")
        };
        drop(written.and_then(|()| output.flush()));
    }
}
