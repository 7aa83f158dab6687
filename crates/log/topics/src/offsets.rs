//! Committed offsets: in memory, and in a file of changes that is rewritten when it has grown far beyond what it says.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use group_commit::{Sink, is_out_of_room, sync_names};
use serde::{Deserialize, Serialize};

use super::record::{self, Found, NewRecord, decode};

/// The file of changes.
const FILE: &str = "offsets.log";
/// The file that takes its place.
const NEW_FILE: &str = "offsets.new";
/// Below this the file is not rewritten.
const MIN_REWRITE_BYTES: u64 = 1024 * 1024;

/// The next offset to read, by topic and partition.
pub(crate) type Committed = BTreeMap<(String, u32), u64>;
/// Those of all groups.
pub(crate) type ByGroup = BTreeMap<String, Committed>;

/// One change, as the file has it: the JSON of this is the value of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Commit {
        group: String,
        offsets: Vec<(String, u32, u64)>,
    },
    DeleteGroup {
        group: String,
    },
    DeleteTopic {
        topic: String,
    },
}

/// What is committed; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offsets(Arc<Mutex<ByGroup>>);

impl Offsets {
    pub(crate) fn lock(&self) -> MutexGuard<'_, ByGroup> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, change: Change) {
        let mut groups = self.lock();
        match change {
            Change::Commit { group, offsets } => {
                let committed = groups.entry(group).or_default();
                for (topic, partition, offset) in offsets {
                    committed.insert((topic, partition), offset);
                }
            }
            Change::DeleteGroup { group } => drop(groups.remove(&group)),
            Change::DeleteTopic { topic } => {
                for committed in groups.values_mut() {
                    committed.retain(|(of, _), _| *of != topic);
                }
                groups.retain(|_, committed| !committed.is_empty());
            }
        }
    }
}

/// The file of changes. One thread at a time writes to it.
#[derive(Debug)]
pub(crate) struct OffsetsFile {
    folder: PathBuf,
    file: File,
    bytes: u64,
    /// Rewritten when it is larger than this.
    rewrite_at: u64,
    number: u64,
    offsets: Offsets,
    /// Topics that were deleted while the disk had no room to note it.
    owed: Vec<Change>,
}

impl OffsetsFile {
    /// Reads the file and forgets the topics of which `is_topic` knows nothing. A torn tail is cut and reported. Where the
    /// file is damaged, what is whole counts, and the damaged file is kept under another name.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged and cannot be kept.
    pub(crate) fn open(
        folder: &Path,
        is_topic: impl Fn(&str) -> bool,
    ) -> io::Result<(Self, Offsets)> {
        let path = folder.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let is_empty = content.is_empty();
        let offsets = Offsets::default();
        let found = replay(&path, content.into(), &offsets);
        {
            let mut groups = offsets.lock();
            for committed in groups.values_mut() {
                committed.retain(|(topic, _), _| is_topic(topic));
            }
            groups.retain(|_, committed| !committed.is_empty());
        }
        let mut this = Self {
            folder: folder.to_owned(),
            file,
            bytes: found.end,
            rewrite_at: 0,
            number: found.number,
            offsets: offsets.clone(),
            owed: Vec::new(),
        };
        if found.damaged {
            let kept = keep(&path)?;
            tracing::error!(
                file = %path.display(),
                kept = %kept.display(),
                "committed offsets are damaged: what is whole counts, the file is kept; groups whose commits were lost read \
                 records again"
            );
            this.rewrite()?;
        } else if !is_empty {
            this.file.set_len(found.end)?;
            // Short again after each start, and without the topics that are gone.
            let is_passing = |error: &_| is_out_of_room(error) || is_in_the_way(error);
            match this.rewrite() {
                Err(error) if is_passing(&error) => {
                    tracing::warn!(%error, "committed offsets stay in a long file");
                }
                rewritten => rewritten?,
            }
        }
        this.rewrite_at = this.bytes.saturating_mul(4).max(MIN_REWRITE_BYTES);
        sync_names(folder)?;
        Ok((this, offsets))
    }

    /// Writes what is committed to a new file that takes the place of this one.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut number = self.number;
        for (group, committed) in &*self.offsets.lock() {
            let offsets = committed.iter();
            let offsets =
                offsets.map(|((topic, partition), offset)| (topic.clone(), *partition, *offset));
            let group = group.clone();
            let change = Change::Commit {
                group,
                offsets: offsets.collect(),
            };
            encode(&change, number, &mut bytes)?;
            number += 1;
        }
        let path = self.folder.join(NEW_FILE);
        if !is_rest(&path)? {
            let problem = format!("{} is in the way: it is no file of offsets", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, problem));
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        let written = file.write_all(&bytes).and_then(|()| file.sync_all());
        written.inspect_err(|_| drop(fs::remove_file(&path)))?;
        fs::rename(&path, self.folder.join(FILE))?;
        sync_names(&self.folder)?;
        self.file = file;
        self.number = number;
        self.bytes = bytes.len() as u64;
        self.rewrite_at = self.bytes.saturating_mul(4).max(MIN_REWRITE_BYTES);
        Ok(())
    }
}

fn is_in_the_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AlreadyExists
}

/// Whether nothing is at `path`, or what a rewriting left there that was not finished.
fn is_rest(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
        Ok(found) if !found.is_file() => Ok(false),
        Ok(found) if found.len() == 0 => Ok(true),
        Ok(_) => Ok(matches!(
            decode(&fs::read(path)?.into()),
            Found::Record(..) | Found::Incomplete(_)
        )),
    }
}

/// Gives the file at `path` a second name, under which it stays.
fn keep(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1;
    loop {
        let kept = path.with_extension(format!("damaged-{number}"));
        match fs::hard_link(path, &kept) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                fs::copy(path, &kept)?;
                return Ok(kept);
            }
            linked => return linked.map(|()| kept),
        }
    }
}

/// What a file of changes holds.
struct Replayed {
    /// Bytes up to the end of the last whole change.
    end: u64,
    /// The number after the last change.
    number: u64,
    /// Whether there is something else between changes.
    damaged: bool,
}

/// Applies the changes in `content`, those behind damage too.
fn replay(path: &Path, content: Bytes, offsets: &Offsets) -> Replayed {
    let mut found = Replayed {
        end: 0,
        number: 0,
        damaged: false,
    };
    let mut at = 0;
    while at < content.len() {
        if let Some((change, number, bytes)) = change_at(&content.slice(at..)) {
            offsets.apply(change);
            at += bytes;
            (found.end, found.number) = (at as u64, number + 1);
            continue;
        }
        let later = (at + 1..content.len()).find(|at| change_at(&content.slice(*at..)).is_some());
        match later {
            Some(later) => {
                tracing::error!(file = %path.display(), offset = at, bytes = later - at, "damaged: no change where one should be");
                (at, found.damaged) = (later, true);
            }
            // Without a whole change it may be somebody else's file.
            None if at == 0 => {
                tracing::error!(file = %path.display(), bytes = content.len(), "damaged: no change in the file");
                found.damaged = true;
                break;
            }
            None => {
                tracing::warn!(file = %path.display(), offset = at, bytes = content.len() - at, "a torn tail is cut");
                break;
            }
        }
    }
    found
}

/// The change at the beginning of `bytes`, its number, and the bytes that it takes.
fn change_at(bytes: &Bytes) -> Option<(Change, u64, usize)> {
    let (record, size) = record::parse(bytes)?;
    let change = serde_json::from_slice(&record.value).ok()?;
    Some((change, record.offset, size))
}

fn encode(change: &Change, number: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let record = NewRecord {
        value: serde_json::to_vec(change)?.into(),
        ..NewRecord::default()
    };
    record.encode(number, 0, bytes);
    Ok(())
}

impl Sink for OffsetsFile {
    type Item = Change;
    type Answer = ();

    fn write(&mut self, batch: &mut Vec<Change>, answers: &mut Vec<()>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (change, number) in self.owed.iter().chain(&*batch).zip(self.number..) {
            encode(change, number, &mut bytes)?;
        }
        if let Err(error) = self.file.write_all_at(&bytes, self.bytes) {
            let is_deletion = |change: &Change| matches!(change, Change::DeleteTopic { .. });
            let deletions = batch.drain(..).filter(is_deletion);
            // The topics are gone, whether that can be noted or not.
            for change in deletions {
                self.offsets.apply(change.clone());
                self.owed.push(change);
            }
            return Err(error);
        }
        self.bytes += bytes.len() as u64;
        self.number += (self.owed.len() + batch.len()) as u64;
        self.owed.clear();
        for change in batch.drain(..) {
            self.offsets.apply(change);
            answers.push(());
        }
        if self.bytes > self.rewrite_at
            && let Err(error) = self.rewrite()
        {
            tracing::warn!(%error, "committed offsets stay in a long file");
            self.rewrite_at = self.bytes.saturating_mul(2);
        }
        Ok(())
    }

    fn take_back(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
#[path = "offsets_tests.rs"]
mod tests;
