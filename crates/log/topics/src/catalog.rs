//! All topics of a directory.
//!
//! | below the folder | what |
//! |---|---|
//! | `logs/TOPIC/topic.json` | name, number of partitions, configs |
//! | `logs/TOPIC/N/BASE.log`, `.index` | partition N, made with its first record; a segment each |
//! | `new/`, `deleted/` | topics on the way in or out; removed when the folder is opened, as far as they are topics |
//!
//! A topic comes and goes with one rename.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::counters::Counters;
use super::error::TopicsError;
use super::files::Files;
use super::remains;
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
    /// The names of topics whose files are damaged: those are left unchanged until they are deleted.
    aside: Mutex<BTreeSet<String>>,
    /// Held while a topic is made or deleted.
    changing: Mutex<()>,
    changes: AtomicU64,
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
        for folder in [&logs, &new, &deleted] {
            fs::create_dir_all(folder)?;
        }
        for unfinished in [&new, &deleted] {
            remains::remove(unfinished)?;
        }
        sync_names(folder)?;
        let files = Arc::new(Files::new(open_files));
        let (mut topics, mut aside) = (Map::new(), BTreeSet::new());
        for entry in fs::read_dir(&logs)? {
            let path = entry?.path();
            let Some(name) = remains::topic_of(&path) else {
                tracing::warn!(path = %path.display(), "left alone: is no folder of a topic");
                continue;
            };
            match Topic::open(&path, &files, &terms, &counters) {
                Ok(topic) => drop(topics.insert(Arc::clone(&topic.common.topic), Arc::new(topic))),
                Err(error) => {
                    tracing::error!(topic = name, folder = %path.display(), %error, "a topic is set aside: its files are damaged");
                    aside.insert(name);
                }
            }
        }
        Ok(Self {
            logs,
            new,
            deleted,
            files,
            terms,
            counters,
            topics: RwLock::new(topics),
            aside: Mutex::new(aside),
            changing: Mutex::default(),
            changes: AtomicU64::new(0),
        })
    }

    /// The folder of the topics.
    pub(crate) fn folder(&self) -> &Path {
        &self.logs
    }

    /// The topic of this name.
    ///
    /// # Errors
    /// There is none, or it is set aside.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Topic>, TopicsError> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get(name) {
            return Ok(Arc::clone(topic));
        }
        if self.aside().contains(name) {
            return Err(TopicsError::TopicAside(name.to_owned()));
        }
        Err(TopicsError::NoSuchTopic(name.to_owned()))
    }

    /// The names of all topics, those that are set aside too, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = topics.keys().map(|name| name.to_string()).collect();
        names.extend(self.aside().iter().cloned());
        names.sort_unstable();
        names
    }

    fn aside(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
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
        match self.get(&description.name) {
            Err(TopicsError::NoSuchTopic(_)) => {}
            Ok(_) => return Err(TopicsError::TopicExists(description.name)),
            Err(error) => return Err(error),
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
        let folder = self.logs.join(&description.name);
        let new = self.free_name(&self.new);
        fs::create_dir(&new)?;
        description
            .write(&new)
            .inspect_err(|_| drop(fs::remove_dir_all(&new)))?;
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
        match &topic {
            Some(topic) => topic.close(),
            None if self.aside().remove(name) => {}
            None => return Err(TopicsError::NoSuchTopic(name.to_owned())),
        }
        self.remove(name)
            .map_err(|error| TopicsError::internal("a topic cannot be removed", &error))?;
        if let Some(topic) = topic {
            // A reader may have opened a file again.
            let partitions = topic.partitions.iter();
            partitions.for_each(|partition| partition.log.close());
        }
        tracing::info!(topic = name, "topic deleted");
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let deleted = self.free_name(&self.deleted);
        fs::rename(self.logs.join(name), &deleted)?;
        sync_names(&self.logs)?;
        fs::remove_dir_all(&deleted)
    }

    /// A path in `folder` that does not exist yet.
    fn free_name(&self, folder: &Path) -> PathBuf {
        loop {
            let number = self.changes.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(number.to_string());
            if fs::symlink_metadata(&path).is_err() {
                return path;
            }
        }
    }
}
