//! All topics of a directory.
//!
//! | below the folder | what |
//! |---|---|
//! | `logs/TOPIC/topic.json` | name, number of partitions, configs |
//! | `logs/TOPIC/N/BASE.log`, `.index` | partition N, made with its first record; a segment each |
//! | `new/`, `deleted/` | topics on the way in or out; emptied when the folder is opened |
//!
//! A topic comes and goes with one rename.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::counters::Counters;
use super::error::TopicsError;
use super::files::Files;
use super::topic::{Description, Topic};
use group_commit::{Terms, sync_names};

type Map = BTreeMap<Arc<str>, Arc<Topic>>;

/// The topics by name.
#[derive(Debug)]
pub(crate) struct Catalog {
    logs: PathBuf,
    new: PathBuf,
    deleted: PathBuf,
    files: Arc<Files>,
    terms: Terms,
    counters: Counters,
    topics: RwLock<Map>,
    /// Held while a topic is made or deleted.
    changing: Mutex<()>,
    deletions: AtomicU64,
}

impl Catalog {
    /// Opens all topics below `folder`. `counters` counts their records.
    ///
    /// # Errors
    /// A file cannot be read; the message names it.
    pub(crate) fn open(
        folder: &Path,
        open_files: usize,
        terms: Terms,
        counters: Counters,
    ) -> io::Result<Self> {
        let (logs, new, deleted) = (
            folder.join("logs"),
            folder.join("new"),
            folder.join("deleted"),
        );
        for unfinished in [&new, &deleted] {
            if unfinished.is_dir() {
                fs::remove_dir_all(unfinished)?;
            }
        }
        for folder in [&logs, &new, &deleted] {
            fs::create_dir_all(folder)?;
        }
        sync_names(folder)?;
        let files = Arc::new(Files::new(open_files));
        let mut topics = Map::new();
        for entry in fs::read_dir(&logs)? {
            let path = entry?.path();
            let topic = Topic::open(&path, &files, &terms, &counters).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
            topics.insert(Arc::clone(&topic.common.topic), Arc::new(topic));
        }
        Ok(Self {
            logs,
            new,
            deleted,
            files,
            terms,
            counters,
            topics: RwLock::new(topics),
            changing: Mutex::default(),
            deletions: AtomicU64::new(0),
        })
    }

    /// Where the topics are.
    pub(crate) fn folder(&self) -> &Path {
        &self.logs
    }

    /// The topic of this name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Topic>, TopicsError> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let topic = topics.get(name).cloned();
        topic.ok_or_else(|| TopicsError::NoSuchTopic(name.to_owned()))
    }

    /// All topics, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Topic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.values().cloned().collect()
    }

    /// Makes a topic, durably. Blocks.
    ///
    /// # Errors
    /// There is one of this name, or the operating system refuses.
    pub(crate) fn create(&self, description: Description) -> Result<Arc<Topic>, TopicsError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.get(&description.name).is_ok() {
            return Err(TopicsError::TopicExists(description.name));
        }
        let topic = self
            .make(&description)
            .map_err(|error| TopicsError::internal("a topic cannot be made", &error))?;
        let topic = Arc::new(topic);
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        topics.insert(Arc::clone(&topic.common.topic), Arc::clone(&topic));
        tracing::info!(topic = %topic.common.topic, partitions = topic.len(), "topic made");
        Ok(topic)
    }

    fn make(&self, description: &Description) -> io::Result<Topic> {
        let (new, folder) = (
            self.new.join(&description.name),
            self.logs.join(&description.name),
        );
        if new.is_dir() {
            // Left by an attempt that failed.
            fs::remove_dir_all(&new)?;
        }
        fs::create_dir(&new)?;
        description.write(&new)?;
        fs::rename(&new, &folder)?;
        sync_names(&self.logs)?;
        Topic::open(&folder, &self.files, &self.terms, &self.counters)
    }

    /// Deletes a topic, durably, with all that it takes on the disk. Blocks.
    ///
    /// # Errors
    /// There is none, or the operating system refuses.
    pub(crate) fn delete(&self, name: &str) -> Result<(), TopicsError> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let topic = {
            let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
            topics.remove(name)
        };
        let topic = topic.ok_or_else(|| TopicsError::NoSuchTopic(name.to_owned()))?;
        topic.close();
        self.remove(&topic)
            .map_err(|error| TopicsError::internal("a topic cannot be removed", &error))?;
        tracing::info!(topic = name, "topic deleted");
        Ok(())
    }

    fn remove(&self, topic: &Topic) -> io::Result<()> {
        let number = self.deletions.fetch_add(1, Ordering::Relaxed);
        let deleted = self.deleted.join(number.to_string());
        fs::rename(self.logs.join(topic.name()), &deleted)?;
        sync_names(&self.logs)?;
        fs::remove_dir_all(&deleted)?;
        // A reader may have opened a file again.
        topic
            .partitions
            .iter()
            .for_each(|partition| partition.log.close());
        Ok(())
    }
}
