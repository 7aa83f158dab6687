//! The handle that both faces call.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use domain::Invalid;
use tokio_util::sync::CancellationToken;

use super::backend::{PartitionInfo, PartitionOffsets, TopicDraft, TopicInfo};
use super::catalog::Catalog;
use super::consumer::{Consumer, Delivery, Ends};
use super::counters::Counters;
use super::error::TopicsError;
use super::groups::{GroupInfo, Groups, Identity};
use super::maintenance::Maintenance;
use super::name;
use super::offsets::OffsetsFile;
use super::options::Options;
use super::pace::{Pace, Start};
use super::settings::TopicSettings;
use super::topic::{Description, Topic};
use group_commit::Directory;

/// The folder of topics in the directory.
const FOLDER: &str = "topics";
/// The only node there is.
const NODE: i32 = 0;

/// The topics of a directory. Clones share everything.
#[derive(Clone, Debug)]
pub struct Topics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    catalog: Arc<Catalog>,
    groups: Groups,
    maintenance: Maintenance,
    counters: Counters,
    stop: CancellationToken,
    /// Locked as long as somebody may write.
    _directory: Arc<Directory>,
}

impl Topics {
    /// Opens the topics in `directory`; a torn tail is cut and reported. Consumers end when `stop`
    /// is cancelled.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn open(
        directory: Arc<Directory>,
        options: &Options,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let folder = directory.path().join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        group_commit::sync_names(directory.path())?;
        let counters = Counters::default();
        let catalog = Arc::new(Catalog::open(
            &folder,
            options.open_files,
            options.terms.clone(),
            counters.clone(),
        )?);
        // What is committed for a topic that is set aside stays.
        let is_topic = |name: &str| !matches!(catalog.get(name), Err(TopicsError::NoSuchTopic(_)));
        let opened = OffsetsFile::open(&folder, is_topic);
        let opened = opened.inspect_err(|error| {
            tracing::error!(folder = %folder.display(), %error, "consumer groups are set aside: the file of their offsets cannot be read");
        });
        let groups = Groups::new(opened.ok(), options.terms.clone(), options.rebalance_delay);
        Ok(Self(Arc::new(Shared {
            maintenance: Maintenance::start(Arc::clone(&catalog), options)?,
            catalog,
            groups,
            counters,
            stop,
            _directory: directory,
        })))
    }

    /// Brings everything to the disk and ends the thread behind. Call it when nothing is in flight any more. Blocks.
    pub fn close(&self) {
        self.0.maintenance.stop();
    }

    /// Makes a topic, durably. Blocks.
    ///
    /// # Errors
    /// The draft breaks a rule, or there is a topic of this name.
    pub fn create_blocking(&self, draft: TopicDraft) -> Result<TopicInfo, TopicsError> {
        name::topic(&draft.name)?;
        let partitions = name::partitions(draft.partitions)?;
        if !(0..=1).contains(&draft.replication_factor) {
            let problem = "must be 0 or 1: there is one copy of each partition";
            return Err(Invalid::new("replicationFactor", problem).into());
        }
        TopicSettings::parse(&draft.configs)?;
        let topic = self.0.catalog.create(Description {
            name: draft.name,
            partitions,
            configs: draft.configs,
        })?;
        Ok(describe(&topic))
    }

    /// [`create_blocking`](Self::create_blocking) for tasks.
    ///
    /// # Errors
    /// The same.
    pub async fn create(&self, draft: TopicDraft) -> Result<TopicInfo, TopicsError> {
        let this = self.clone();
        blocking(move || this.create_blocking(draft)).await
    }

    /// Deletes a topic, its records and what groups have committed for it.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete(&self, name: &str) -> Result<(), TopicsError> {
        let (this, topic) = (self.clone(), name.to_owned());
        blocking(move || this.0.catalog.delete(&topic)).await?;
        match self.0.groups.topic_deleted(name.to_owned()).await {
            // The topic is gone, and its offsets are forgotten: that is noted on the disk as soon as there is room.
            Err(TopicsError::NoRoom | TopicsError::GroupsAside) => Ok(()),
            noted => noted,
        }
    }

    /// The names of all topics, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.catalog.names()
    }

    /// One topic.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn describe(&self, name: &str) -> Result<TopicInfo, TopicsError> {
        Ok(describe(&*self.0.catalog.get(name)?))
    }

    /// First and next offset of a partition.
    ///
    /// # Errors
    /// There is no such topic or partition.
    pub fn offsets(&self, topic: &str, partition: i64) -> Result<PartitionOffsets, TopicsError> {
        let topic = self.0.catalog.get(topic)?;
        Ok(offsets(&topic.partition(partition)?.log))
    }

    /// Bytes of the records of a topic on the disk.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn bytes(&self, topic: &str) -> Result<u64, TopicsError> {
        let topic = self.0.catalog.get(topic)?;
        Ok(topic
            .partitions
            .iter()
            .map(|partition| partition.log.bytes())
            .sum())
    }

    /// Reads one partition on and on.
    ///
    /// # Errors
    /// There is no such topic, partition or offset.
    pub fn consume(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
    ) -> Result<Consumer, TopicsError> {
        let topic = self.0.catalog.get(topic)?;
        Consumer::of_partition(topic, partition, start, pace, self.ends())
    }

    fn ends(&self) -> Ends {
        Ends {
            stop: self.0.stop.child_token(),
            counters: self.0.counters.clone(),
        }
    }

    /// Joins a group: reads the partitions of `topic` that it assigns, until the consumer is dropped.
    ///
    /// # Errors
    /// There is no such topic, or the name is none for a group.
    pub fn join(
        &self,
        group: &str,
        identity: Identity,
        topic: &str,
        start: Start,
        pace: Pace,
    ) -> Result<Consumer, TopicsError> {
        name::group(group, "group-id")?;
        let topic = self.0.catalog.get(topic)?;
        let groups = self.0.groups.clone();
        groups.file()?;
        let member = groups.join(
            group,
            Arc::clone(&topic.common.topic),
            topic.len(),
            identity,
        );
        let ends = self.ends();
        Ok(Consumer::in_group(
            topic,
            (groups, member),
            start,
            pace,
            ends,
        ))
    }

    /// Reads once: what there is from `start` on, or what comes within the pace's `max_wait`.
    ///
    /// # Errors
    /// There is no such topic, partition or offset, or it is damaged.
    pub async fn fetch(
        &self,
        topic: &str,
        partition: i64,
        start: Start,
        pace: Pace,
        max_wait: Duration,
    ) -> Result<Delivery, TopicsError> {
        let mut consumer = self.consume(topic, partition, start, pace)?;
        let mut found = consumer.now().await?;
        if found.is_empty() && !max_wait.is_zero() {
            match tokio::time::timeout(max_wait, consumer.next()).await {
                Err(_elapsed) => {}
                // What is there until the stop is an answer.
                Ok(Err(TopicsError::ShuttingDown)) => {}
                Ok(next) => found.push(next?),
            }
        }
        match found.pop() {
            Some(delivery) => Ok(delivery),
            None => Ok(Delivery {
                partition: u32::try_from(partition).unwrap_or_default(),
                high_watermark: self.offsets(topic, partition)?.end,
                records: Vec::new(),
            }),
        }
    }

    /// Commits offsets (topic, partition, next offset to read), durably: all or none.
    ///
    /// # Errors
    /// A bad name of a group, no such topic or partition, a negative offset.
    pub async fn commit(
        &self,
        group: &str,
        offsets: Vec<(String, i64, i64)>,
    ) -> Result<(), TopicsError> {
        name::group(group, "groupId")?;
        self.0.groups.file()?;
        let mut checked = Vec::with_capacity(offsets.len());
        for (at, (topic, partition, offset)) in offsets.into_iter().enumerate() {
            let number = self.0.catalog.get(&topic)?.partition(partition)?.number();
            let offset = u64::try_from(offset).map_err(|_| {
                Invalid::new(format!("offsets[{at}].offset"), "must not be negative")
            })?;
            checked.push((topic, number, offset));
        }
        self.0.groups.commit(group.to_owned(), checked).await
    }

    /// All groups, by name.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupInfo> {
        self.0.groups.list()
    }

    /// One group.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn group(&self, id: &str) -> Result<GroupInfo, TopicsError> {
        name::group(id, "groupId")?;
        self.0.groups.file()?;
        self.0.groups.get(id)
    }

    /// Deletes a group with its offsets.
    ///
    /// # Errors
    /// There is none, or it has members.
    pub async fn delete_group(&self, id: &str) -> Result<(), TopicsError> {
        name::group(id, "groupId")?;
        self.0.groups.delete(id).await
    }

    /// What was produced and consumed.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(crate) fn catalog(&self) -> &Catalog {
        &self.0.catalog
    }

    /// Members of all groups together.
    #[must_use]
    pub fn members(&self) -> usize {
        self.0.groups.members()
    }
}

fn describe(topic: &Topic) -> TopicInfo {
    let partitions = topic.partitions.iter();
    TopicInfo {
        name: topic.name().to_owned(),
        configs: topic.configs.clone(),
        partitions: partitions
            .map(|partition| PartitionInfo {
                offsets: offsets(&partition.log),
                leader: NODE,
                replicas: vec![NODE],
                isr: vec![NODE],
            })
            .collect(),
    }
}

fn offsets(log: &super::log::Log) -> PartitionOffsets {
    PartitionOffsets {
        beginning: log.beginning(),
        end: log.end(),
    }
}

/// Runs `work` on a thread of the runtime's blocking pool.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TopicsError> + Send + 'static,
) -> Result<T, TopicsError> {
    let outcome = tokio::task::spawn_blocking(work).await;
    // The runtime stops, or the work panicked; the panic is on standard error.
    outcome.unwrap_or(Err(TopicsError::Internal))
}
