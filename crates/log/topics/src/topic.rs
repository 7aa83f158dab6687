//! One topic: its partitions, and what is kept of it on disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::appender::{Appended, Appender, Records, now_ms};
use super::counters::Counters;
use super::error::TopicsError;
use super::files::Files;
use super::log::{Common, Log, View};
use super::name::MAX_PARTITIONS;
use super::partitioner::Partitioner;
use super::recovery;
use super::settings::TopicSettings;
use group_commit::Durability;
use group_commit::sync_names;
use group_commit::{GroupCommit, Pending, Terms};

/// The file that describes a topic, in its folder.
pub(crate) const DESCRIPTION: &str = "topic.json";

/// What is kept of a topic beside its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) configs: BTreeMap<String, String>,
}

/// A topic that is open.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) common: Arc<Common>,
    pub(crate) configs: BTreeMap<String, String>,
    pub(crate) partitions: Vec<Partition>,
    partitioner: Partitioner,
}

/// A partition: what is read, and who writes.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) log: Arc<Log>,
    committer: GroupCommit<Appender>,
    /// Whether its files could not be read: it is left as it is, neither read nor written to.
    is_aside: bool,
}

impl Description {
    /// Writes it into the folder of a new topic, and makes it durable.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let file = File::create_new(folder.join(DESCRIPTION))?;
        serde_json::to_writer_pretty(&file, self)?;
        file.sync_all()?;
        sync_names(folder)
    }

    fn read(folder: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(
            folder.join(DESCRIPTION),
        )?)?)
    }
}

impl Topic {
    /// Opens the topic in `folder`.
    ///
    /// # Errors
    /// Its description or one of its files cannot be read.
    pub(crate) fn open(
        folder: &Path,
        files: &Arc<Files>,
        terms: &Terms,
        counters: &Counters,
    ) -> io::Result<Self> {
        let description = Description::read(folder)?;
        let named = |problem: String| io::Error::new(io::ErrorKind::InvalidData, problem);
        if folder.file_name().and_then(|name| name.to_str()) != Some(&description.name) {
            return Err(named(format!(
                "{DESCRIPTION} names the topic {}",
                description.name
            )));
        }
        if !(1..=MAX_PARTITIONS).contains(&description.partitions) {
            let partitions = description.partitions;
            return Err(named(format!("{DESCRIPTION} has {partitions} partitions")));
        }
        let settings = TopicSettings::parse(&description.configs).map_err(io::Error::other)?;
        let common = Arc::new(Common {
            topic: description.name.into(),
            settings,
            files: Arc::clone(files),
            counters: counters.clone(),
            grown: Notify::new(),
            deleted: AtomicBool::new(false),
            faults: terms.faults.clone(),
            clock_noted: AtomicBool::new(false),
        });
        let mut views = views(folder, description.partitions)?;
        let partitions = (0..description.partitions).map(|number| {
            let folder = folder.join(number.to_string());
            let view = views.remove(&number).unwrap_or(Ok(View::default()));
            let is_aside = view.is_err();
            if let Err(error) = &view {
                tracing::error!(
                    topic = %common.topic,
                    partition = number,
                    folder = %folder.display(),
                    %error,
                    "a partition is set aside: its files cannot be read"
                );
            }
            let view = view.unwrap_or_default();
            let mut partition = Partition::new(&common, number, folder, view, terms);
            partition.is_aside = is_aside;
            partition
        });
        Ok(Self {
            partitions: partitions.collect(),
            common,
            configs: description.configs,
            partitioner: Partitioner::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.common.topic
    }

    /// The number of partitions.
    pub(crate) fn len(&self) -> u32 {
        self.partitions.len() as u32
    }

    /// The partition `number`; -1 chooses one by `key`.
    ///
    /// # Errors
    /// There is none of this number.
    pub(crate) fn partition_for(&self, number: i64, key: &[u8]) -> Result<&Partition, TopicsError> {
        if number != -1 {
            return self.partition(number);
        }
        let chosen = self.partition(self.partitioner.choose(key, self.len()).into());
        match chosen {
            // Without a key any other does as well.
            Err(TopicsError::PartitionAside { .. }) if key.is_empty() => {
                let whole = self.partitions.iter().find(|partition| !partition.is_aside);
                whole.map_or(chosen, Ok)
            }
            chosen => chosen,
        }
    }

    /// The partition `number`.
    ///
    /// # Errors
    /// There is none of this number, or it is set aside.
    pub(crate) fn partition(&self, number: i64) -> Result<&Partition, TopicsError> {
        let at = usize::try_from(number).ok();
        let found = at.and_then(|at| self.partitions.get(at));
        let partition = found.ok_or_else(|| TopicsError::NoSuchPartition {
            topic: self.name().to_owned(),
            partition: number,
            partitions: self.len(),
        })?;
        if partition.is_aside {
            return Err(TopicsError::PartitionAside {
                topic: self.name().to_owned(),
                partition: partition.number(),
            });
        }
        Ok(partition)
    }

    /// Takes no more records, gives no more, and lets consumers know. Appends under way are finished.
    pub(crate) fn close(&self) {
        self.common.deleted.store(true, Ordering::Release);
        self.common.grown.notify_waiters();
        for partition in &self.partitions {
            partition.log.grown.notify_waiters();
            if partition.log.view().segments.is_empty() {
                continue;
            }
            // Poisoned or not: nobody writes after this.
            drop(partition.committer.exclusive(|_| ()));
            partition.log.close();
        }
    }
}

/// What the partitions that have files hold.
fn views(folder: &Path, partitions: u32) -> io::Result<BTreeMap<u32, io::Result<View>>> {
    let mut views = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<u32>().ok());
        if let Some(number) = number.filter(|number| *number < partitions) {
            views.insert(number, recovery::open(&folder.join(name)));
        }
    }
    Ok(views)
}

impl Partition {
    fn new(common: &Arc<Common>, number: u32, folder: PathBuf, view: View, terms: &Terms) -> Self {
        let log = Arc::new(Log::new(Arc::clone(common), number, folder, view));
        let appender = Appender::new(Arc::clone(&log));
        Self {
            committer: GroupCommit::new(appender, terms.clone()),
            log,
            is_aside: false,
        }
    }

    /// Its number.
    pub(crate) fn number(&self) -> u32 {
        self.log.partition
    }

    /// Appends and waits on this thread, which must not be one that runs tasks.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn append_blocking(
        &self,
        records: Records,
        durability: Durability,
    ) -> Result<Appended, TopicsError> {
        let bytes = records.bytes();
        let appended = self.committer.append_blocking(records, bytes, durability);
        appended.map_err(|error| self.append_error(&error))
    }

    /// Puts records behind those that wait.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn submit(
        &self,
        records: Records,
        durability: Durability,
    ) -> Result<Pending<Appender>, TopicsError> {
        let bytes = records.bytes();
        let pending = self.committer.submit(records, bytes, durability);
        pending.map_err(|error| self.append_error(&error))
    }

    /// Why an append was not done.
    pub(crate) fn append_error(&self, error: &group_commit::AppendError) -> TopicsError {
        TopicsError::append(error, &self.log.common.topic, self.log.is_deleted())
    }

    /// Applies retention. Blocks.
    pub(crate) fn retain(&self) {
        let now = now_ms();
        self.log.correct_times(now);
        if self.log.is_expired(now)
            && let Ok(Err(error)) = self
                .committer
                .exclusive(|appender| appender.roll_if_expired(now))
        {
            tracing::error!(
                topic = %self.log.common.topic,
                partition = self.number(),
                %error,
                "expired records stay: no new segment"
            );
        }
        self.log.apply_retention(now);
    }
}
