//! The handle that both faces and the command line call.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::data::Data;
use super::entries::{End, Entries};
use super::entry::{Appended, Entry};
use super::error::ChainError;
use super::file::{self, Owner};
use super::journal;
use super::name::{self, PartitionName};
use super::partition::{ChainSink, Partition, WriteOptions};
use super::reader::Reader;
use super::recovery;
use super::verify::{self, Checks, Verification};
use group_commit::Directory;

mod open;

use open::Writing;

/// Data above this is checked off the threads that run tasks.
const LARGE_DATA_BYTES: usize = 128 * 1024;

/// All partitions of a directory. Clones share everything.
#[derive(Clone, Debug)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// `None` for a log that is only read, which needs no lock.
    writing: Option<Writing>,
    checks: Checks,
}

impl Log {
    /// The partitions in `directory`, to be read and appended to. Opening one costs a look at both ends of its file, when
    /// it is used first.
    #[must_use]
    pub fn open(directory: Arc<Directory>, options: WriteOptions) -> Self {
        Self(Arc::new(Inner {
            folder: directory.path().to_owned(),
            checks: options.checks.clone(),
            writing: Some(Writing::new(directory, options)),
        }))
    }

    /// The partitions in `folder`, to be read, whoever writes to them.
    pub fn read_only(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            folder: folder.into(),
            writing: None,
            checks: Checks::default(),
        }))
    }

    /// Brings back from journals what the machine lost in a failure, then cuts and reports torn last lines, in all partitions
    /// that are not open. A look at the end of each file. Gives the number of partitions. What is no chain is left alone and
    /// named in a warning; a partition that is damaged or cannot be read is named in an error, and refuses when it is opened.
    ///
    /// # Errors
    /// The log is only read, or the folder cannot be read.
    pub fn recover(&self) -> Result<usize, ChainError> {
        let open = self.writing()?.all();
        let is_open = |path: &Path| open.iter().any(|partition| partition.path == path);
        Ok(recovery::recover(&self.0.folder, is_open)?)
    }

    /// Bytes of entries that are in the partition's journal alone, since the machine failed: the next opening for writing
    /// brings them back. 0 where a writer is at work.
    ///
    /// # Errors
    /// A bad name; the journal cannot be read.
    pub fn unrecovered_bytes(&self, partition: &str) -> Result<u64, ChainError> {
        let name = PartitionName::new(partition)?;
        Ok(journal::missing_from(&name.file(&self.0.folder))?)
    }

    /// Appends JSON text.
    ///
    /// # Errors
    /// A name or data that the log does not take; damage; too much waits; an earlier write failed.
    pub async fn append(&self, partition: &str, data: &[u8]) -> Result<Appended, ChainError> {
        let name = PartitionName::new(partition)?;
        let data = if data.len() > LARGE_DATA_BYTES {
            let data = data.to_vec();
            blocking(move || Data::new(&data)).await?
        } else {
            Data::new(data)?
        };
        let writing = self.writing()?;
        let partition = match writing.opened(&name)? {
            Some(partition) => partition,
            None => {
                let log = self.clone();
                blocking(move || log.open_to_append(name)).await?
            }
        };
        let bytes = data.bytes();
        let durability = writing.options.durability;
        Ok(partition.appends.append(data, bytes, durability).await?)
    }

    /// [`append`](Self::append) on this thread. Not to be called on a thread that runs tasks.
    ///
    /// # Errors
    /// As `append`.
    pub fn append_blocking(&self, partition: &str, data: &[u8]) -> Result<Appended, ChainError> {
        let name = PartitionName::new(partition)?;
        let data = Data::new(data)?;
        let writing = self.writing()?;
        let partition = match writing.opened(&name)? {
            Some(partition) => partition,
            None => self.open_to_append(name)?,
        };
        let bytes = data.bytes();
        let durability = writing.options.durability;
        Ok(partition.appends.append_blocking(data, bytes, durability)?)
    }

    /// Entries from `start` on (from the first without it), at most `limit`, as far as they are there now.
    ///
    /// # Errors
    /// No such partition, a bad name, damage; the file cannot be read.
    pub fn read_blocking(
        &self,
        partition: &str,
        start: Option<u64>,
        limit: Option<u64>,
    ) -> Result<Entries, ChainError> {
        let (mut reader, end) = self.reader(partition)?;
        let end = end.now(&reader)?;
        reader.seek(start.unwrap_or(0), end)?;
        Ok(Entries::new(reader, End::At(end), false, limit))
    }

    /// [`read_blocking`](Self::read_blocking) off this thread.
    ///
    /// # Errors
    /// As `read_blocking`.
    pub async fn read(
        &self,
        partition: &str,
        start: Option<u64>,
        limit: Option<u64>,
    ) -> Result<Entries, ChainError> {
        let (log, partition) = (self.clone(), partition.to_owned());
        blocking(move || log.read_blocking(&partition, start, limit)).await
    }

    /// Entries from `start` on, and with `follow` those to come. Without `start`: from the first, with `follow` only those
    /// to come.
    ///
    /// # Errors
    /// No such partition, a bad name, damage; the file cannot be read.
    pub async fn tail(
        &self,
        partition: &str,
        start: Option<u64>,
        follow: bool,
    ) -> Result<Entries, ChainError> {
        if !follow {
            return self.read(partition, start, None).await;
        }
        let (log, partition) = (self.clone(), partition.to_owned());
        blocking(move || {
            let (mut reader, end) = log.reader(&partition)?;
            let now = end.now(&reader)?;
            match start {
                Some(seq) => reader.seek(seq, now)?,
                None => reader.jump_behind(now)?,
            }
            Ok(Entries::new(reader, end, true, None).starting_at(start.unwrap_or(0)))
        })
        .await
    }

    /// Checks the whole chain, on as many cores as [`WriteOptions::checks`] leaves, all for a log that is only read. `progress` is told bytes done and bytes in all, now and then. What is wrong
    /// with the chain is no error, nor is a partition that is not there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn verify_blocking(
        &self,
        partition: &str,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Verification, ChainError> {
        let (reader, end) = match self.reader(partition) {
            Ok(found) => found,
            Err(error @ (ChainError::NotFound(_) | ChainError::Name(_))) => {
                return Ok(Verification::broken(error.to_string()));
            }
            Err(error) => return Err(error),
        };
        let end = match end {
            End::OfFile => reader.settled_length()?,
            end => end.now(&reader)?,
        };
        let (file, name) = reader.into_parts();
        Ok(verify::verify(&file, &name, end, &self.0.checks, |done| {
            progress(done, end);
        })?)
    }

    /// [`verify_blocking`](Self::verify_blocking) off this thread.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn verify(&self, partition: &str) -> Result<Verification, ChainError> {
        let (log, partition) = (self.clone(), partition.to_owned());
        blocking(move || log.verify_blocking(&partition, |_, _| {})).await
    }

    /// The last entry, read from the end of the file; `None` without any.
    ///
    /// # Errors
    /// No such partition, a bad name, damage; the file cannot be read.
    pub fn last_blocking(&self, partition: &str) -> Result<Option<Entry>, ChainError> {
        let (reader, end) = self.reader(partition)?;
        let end = end.now(&reader)?;
        reader.last(end)
    }

    /// [`last_blocking`](Self::last_blocking) off this thread.
    ///
    /// # Errors
    /// As `last_blocking`.
    pub async fn last(&self, partition: &str) -> Result<Option<Entry>, ChainError> {
        let (log, partition) = (self.clone(), partition.to_owned());
        blocking(move || log.last_blocking(&partition)).await
    }

    /// The names of all partitions that have an entry, as they were appended, sorted. A file whose first line is damaged
    /// goes by its own name.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list_blocking(&self) -> Result<Vec<String>, ChainError> {
        let mut names = Vec::new();
        for path in self.0.files()? {
            let Some(stem) = name::stem_of(&path) else {
                continue;
            };
            // One that cannot be read was named when the server started.
            match File::open(&path).and_then(|file| file::owner(&file, stem)) {
                Ok(Owner::Name(name)) => names.push(name),
                Ok(Owner::Damaged) => names.push(stem.to_owned()),
                Ok(Owner::Nobody | Owner::Torn | Owner::Stranger) | Err(_) => {}
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// [`list_blocking`](Self::list_blocking) off this thread.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn list(&self) -> Result<Vec<String>, ChainError> {
        let log = self.clone();
        blocking(move || log.list_blocking()).await
    }

    /// Brings what was appended to the disk, for the end of a process that answered before.
    ///
    /// # Errors
    /// A sync failed.
    pub fn sync_blocking(&self) -> Result<(), ChainError> {
        for partition in self.writing()?.all() {
            partition.appends.exclusive(ChainSink::settle)??;
        }
        Ok(())
    }

    fn writing(&self) -> Result<&Writing, ChainError> {
        self.0.writing.as_ref().ok_or(ChainError::ReadOnly)
    }

    fn open_to_append(&self, name: PartitionName) -> Result<Arc<Partition>, ChainError> {
        let opened = self.writing()?.partition(&self.0.folder, name, true)?;
        opened.ok_or_else(|| ChainError::Io(io::ErrorKind::NotFound.into()))
    }

    /// A reader at the beginning of a partition, and how far it may read.
    fn reader(&self, partition: &str) -> Result<(Reader, End), ChainError> {
        let name = PartitionName::new(partition)?;
        let unknown = || ChainError::NotFound(partition.to_owned());
        let path = name.file(&self.0.folder);
        let mut end = End::OfFile;
        if let Some(writing) = &self.0.writing {
            match writing.partition(&self.0.folder, name.clone(), false) {
                Ok(Some(found)) => end = End::Shown(found.shown.clone(), found),
                Ok(None) | Err(ChainError::Taken { .. }) => return Err(unknown()),
                // Nothing is appended to it; what is before the damage can be read.
                Err(ChainError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(unknown()),
            file => file?,
        };
        if file::belongs_to(&file, &name)?.is_err() {
            return Err(unknown());
        }
        Ok((Reader::new(file, path, name), end))
    }
}

impl Inner {
    /// The files of all partitions.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            if name::stem_of(&path).is_some() && entry.file_type()?.is_file() {
                paths.push(path);
            }
        }
        Ok(paths)
    }
}

/// Runs `work` on a thread of the runtime's blocking pool.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChainError> + Send + 'static,
) -> Result<T, ChainError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::from)?
}
