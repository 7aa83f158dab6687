//! Committed offsets: in memory, and in a file of changes that is rewritten when it has grown far beyond what it says.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::{Found, NewRecord, decode};
use group_commit::Sink;
use group_commit::sync_names;

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
}

impl OffsetsFile {
    /// Reads the file, cuts and reports a torn tail, and forgets the topics of which `is_topic` knows nothing.
    ///
    /// # Errors
    /// The file cannot be read or written, or is damaged before its end.
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
        let offsets = Offsets::default();
        let (whole, number) = replay(&path, content.into(), &offsets)?;
        {
            let mut groups = offsets.lock();
            for committed in groups.values_mut() {
                committed.retain(|(topic, _), _| is_topic(topic));
            }
            groups.retain(|_, committed| !committed.is_empty());
        }
        if file.metadata()?.len() > whole {
            file.set_len(whole)?;
        }
        let mut this = Self {
            folder: folder.to_owned(),
            file,
            bytes: whole,
            rewrite_at: 0,
            number,
            offsets: offsets.clone(),
        };
        // Short again after each start, and without the topics that are gone.
        if whole > 0 {
            this.rewrite()?;
        }
        this.rewrite_at = this.bytes.saturating_mul(4).max(MIN_REWRITE_BYTES);
        sync_names(folder)?;
        Ok((this, offsets))
    }

    /// Writes what is committed to a new file that takes the place of this one.
    fn rewrite(&mut self) -> io::Result<()> {
        let path = self.folder.join(NEW_FILE);
        let mut bytes = Vec::new();
        for (group, committed) in &*self.offsets.lock() {
            let offsets = committed.iter();
            let offsets =
                offsets.map(|((topic, partition), offset)| (topic.clone(), *partition, *offset));
            let group = group.clone();
            let change = Change::Commit {
                group,
                offsets: offsets.collect(),
            };
            encode(&change, self.number, &mut bytes)?;
            self.number += 1;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&path, self.folder.join(FILE))?;
        sync_names(&self.folder)?;
        self.file = file;
        self.bytes = bytes.len() as u64;
        self.rewrite_at = self.bytes.saturating_mul(4).max(MIN_REWRITE_BYTES);
        Ok(())
    }
}

/// Applies the changes in `content`. Gives the bytes of whole ones, and the number after the last.
fn replay(path: &Path, mut content: Bytes, offsets: &Offsets) -> io::Result<(u64, u64)> {
    let (mut position, mut number) = (0, 0);
    while !content.is_empty() {
        let Found::Record(record, bytes) = decode(&content) else {
            let rest = content.len();
            let later =
                (1..rest).any(|at| matches!(decode(&content.slice(at..)), Found::Record(..)));
            if later {
                let message = format!("{} is damaged at byte {position}", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            tracing::warn!(file = %path.display(), offset = position, bytes = rest, "a torn tail is cut");
            break;
        };
        offsets.apply(serde_json::from_slice(&record.value)?);
        number = record.offset + 1;
        position += bytes as u64;
        content = content.slice(bytes..);
    }
    Ok((position, number))
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
        for (change, number) in batch.iter().zip(self.number..) {
            encode(change, number, &mut bytes)?;
        }
        self.file.write_all_at(&bytes, self.bytes)?;
        self.bytes += bytes.len() as u64;
        self.number += batch.len() as u64;
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
mod tests {
    use super::*;

    fn commit(group: &str, topic: &str, offset: u64) -> Change {
        Change::Commit {
            group: group.to_owned(),
            offsets: vec![(topic.to_owned(), 0, offset)],
        }
    }

    fn write(file: &mut OffsetsFile, changes: Vec<Change>) {
        let mut answers = Vec::new();
        let mut changes = changes;
        file.write(&mut changes, &mut answers).expect("written");
        file.sync().expect("synced");
    }

    #[test]
    fn what_is_committed_is_there_after_opening() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        write(
            &mut file,
            vec![
                commit("g", "t", 3),
                commit("g", "u", 1),
                commit("h", "t", 9),
            ],
        );
        write(
            &mut file,
            vec![
                commit("g", "t", 4),
                Change::DeleteGroup { group: "h".into() },
            ],
        );
        for _ in 0..2 {
            let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
            let expected = BTreeMap::from([(("t".to_owned(), 0), 4), (("u".to_owned(), 0), 1)]);
            assert_eq!(
                *offsets.lock(),
                BTreeMap::from([("g".to_owned(), expected)])
            );
        }
        let (mut file, offsets) =
            OffsetsFile::open(folder.path(), |topic| topic != "t").expect("open");
        assert_eq!(offsets.lock()["g"].len(), 1);
        write(&mut file, vec![Change::DeleteTopic { topic: "u".into() }]);
        assert!(offsets.lock().is_empty());
    }

    #[test]
    fn the_file_does_not_grow_without_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        for offset in 0..40_000 {
            let mut batch = vec![commit("g", "t", offset)];
            file.write(&mut batch, &mut Vec::new()).expect("written");
        }
        let bytes = fs::metadata(folder.path().join(FILE))
            .expect("a file")
            .len();
        assert!(bytes < 2 * MIN_REWRITE_BYTES, "{bytes}");
        let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        assert_eq!(offsets.lock()["g"][&("t".to_owned(), 0)], 39_999);
    }

    #[test]
    fn a_torn_tail_is_cut_and_damage_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        let (mut file, _) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        write(&mut file, vec![commit("g", "t", 3), commit("g", "t", 4)]);
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() - 1]).expect("torn");
        let (_, offsets) = OffsetsFile::open(folder.path(), |_| true).expect("open");
        assert_eq!(offsets.lock()["g"][&("t".to_owned(), 0)], 3);
        let mut damaged = whole;
        damaged[50] ^= 1;
        fs::write(&path, &damaged).expect("damaged");
        let error = OffsetsFile::open(folder.path(), |_| true)
            .expect_err("damage")
            .to_string();
        assert!(
            error.contains("offsets.log is damaged at byte 0"),
            "{error}"
        );
    }
}
