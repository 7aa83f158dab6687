//! Consumer groups: members, the partitions that each reads, and committed offsets.
//!
//! When a member comes or goes, the group prepares for a short time: nobody gets records then, so that what is under way
//! can be committed. After that each partition has a new owner, who goes on from the committed offset.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::assignment::ranges;
use super::error::TopicsError;
use super::offsets::{Change, Committed, Offsets, OffsetsFile};
use group_commit::Durability;
use group_commit::{GroupCommit, Terms};

mod info;
mod member;

pub use info::{GroupInfo, GroupState, Identity, MemberInfo};
pub(crate) use member::Member;

/// Changes that may wait to be written.
const CAPACITY: usize = 64 * 1024;

/// All groups of a directory. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Groups(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    active: Mutex<HashMap<String, Group>>,
    offsets: Offsets,
    /// `None` where it could not be read.
    file: Option<GroupCommit<OffsetsFile>>,
    /// How long a group prepares.
    delay: Duration,
}

/// A group with members.
#[derive(Debug)]
struct Group {
    /// By the order in which they came.
    members: BTreeMap<u64, MemberState>,
    /// When the partitions are assigned anew; `None` while all is assigned.
    assigned_at: Option<Instant>,
    /// Counts what members must know of.
    changes: watch::Sender<u64>,
    joined: u64,
}

#[derive(Debug)]
struct MemberState {
    id: String,
    identity: Identity,
    topic: Arc<str>,
    partitions: u32,
    assigned: std::ops::Range<u32>,
}

impl Groups {
    /// `opened` is `None` where the file of offsets cannot be read.
    pub(crate) fn new(
        opened: Option<(OffsetsFile, Offsets)>,
        terms: Terms,
        delay: Duration,
    ) -> Self {
        let (file, offsets) = opened.unzip();
        let terms = Terms {
            capacity: CAPACITY,
            ..terms
        };
        Self(Arc::new(Shared {
            active: Mutex::default(),
            offsets: offsets.unwrap_or_default(),
            file: file.map(|file| GroupCommit::new(file, terms)),
            delay,
        }))
    }

    /// Commits, durably.
    ///
    /// # Errors
    /// Too much waits, or the file cannot be written any more.
    pub(crate) async fn commit(
        &self,
        group: String,
        offsets: Vec<(String, u32, u64)>,
    ) -> Result<(), TopicsError> {
        if offsets.is_empty() {
            return Ok(());
        }
        self.write(Change::Commit { group, offsets }).await
    }

    /// Forgets the offsets committed for a topic that is deleted.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub(crate) async fn topic_deleted(&self, topic: String) -> Result<(), TopicsError> {
        self.write(Change::DeleteTopic { topic }).await
    }

    /// The file of offsets.
    ///
    /// # Errors
    /// It could not be read: groups are set aside.
    pub(crate) fn file(&self) -> Result<&GroupCommit<OffsetsFile>, TopicsError> {
        self.0.file.as_ref().ok_or(TopicsError::GroupsAside)
    }

    async fn write(&self, change: Change) -> Result<(), TopicsError> {
        let bytes = size_of_val(&change);
        let file = self.file()?;
        let written = file.append(change, bytes, Durability::Synced).await;
        written.map_err(|error| TopicsError::append(&error, "", false))
    }

    /// Deletes a group without members, with its offsets.
    ///
    /// # Errors
    /// There is none, or it has members, or as [`commit`](Self::commit).
    pub(crate) async fn delete(&self, id: &str) -> Result<(), TopicsError> {
        let members = self.active().get(id).map_or(0, |group| group.members.len());
        if members > 0 {
            return Err(TopicsError::GroupHasMembers {
                group: id.to_owned(),
                members,
            });
        }
        if !self.0.offsets.lock().contains_key(id) {
            return Err(TopicsError::NoSuchGroup(id.to_owned()));
        }
        let group = id.to_owned();
        self.write(Change::DeleteGroup { group }).await
    }

    /// The committed offset of a partition.
    pub(crate) fn committed(&self, group: &str, topic: &str, partition: u32) -> Option<u64> {
        let offsets = self.0.offsets.lock();
        offsets
            .get(group)?
            .get(&(topic.to_owned(), partition))
            .copied()
    }

    /// All groups, by name.
    pub(crate) fn list(&self) -> Vec<GroupInfo> {
        let mut groups: BTreeMap<String, GroupInfo> = BTreeMap::new();
        for (id, offsets) in &*self.0.offsets.lock() {
            groups.insert(id.clone(), GroupInfo::empty(id, offsets.clone()));
        }
        for (id, group) in &mut *self.active() {
            let info = groups.entry(id.clone());
            let info = info.or_insert_with(|| GroupInfo::empty(id, Committed::new()));
            group.settle();
            group.describe(info);
        }
        groups.into_values().collect()
    }

    /// One group.
    ///
    /// # Errors
    /// There is none of this name.
    pub(crate) fn get(&self, id: &str) -> Result<GroupInfo, TopicsError> {
        let offsets = self.0.offsets.lock().get(id).cloned();
        let mut active = self.active();
        let group = active.get_mut(id);
        if offsets.is_none() && group.is_none() {
            return Err(TopicsError::NoSuchGroup(id.to_owned()));
        }
        let mut info = GroupInfo::empty(id, offsets.unwrap_or_default());
        if let Some(group) = group {
            group.settle();
            group.describe(&mut info);
        }
        Ok(info)
    }

    /// A new member, which reads `topic` of so many partitions. It leaves when it is dropped.
    pub(crate) fn join(
        &self,
        id: &str,
        topic: Arc<str>,
        partitions: u32,
        identity: Identity,
    ) -> Member {
        let name = match identity.client_id.as_str() {
            "" => "member",
            client => client,
        };
        let member = MemberState {
            id: format!("{name}-{}", uuid::Uuid::new_v4()),
            identity,
            topic,
            partitions,
            assigned: 0..0,
        };
        let mut active = self.active();
        let group = active.entry(id.to_owned()).or_insert_with(Group::new);
        let number = group.joined;
        group.joined += 1;
        tracing::debug!(group = id, member = member.id, "joined");
        group.members.insert(number, member);
        group.prepare(self.0.delay);
        let changes = group.changes.subscribe();
        Member {
            groups: self.clone(),
            group: id.to_owned(),
            number,
            changes,
        }
    }

    /// How many members there are in all groups.
    pub(crate) fn members(&self) -> usize {
        self.active()
            .values()
            .map(|group| group.members.len())
            .sum()
    }

    fn active(&self) -> MutexGuard<'_, HashMap<String, Group>> {
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            assigned_at: None,
            changes: watch::Sender::new(0),
            joined: 0,
        }
    }

    /// Somebody came or went: who comes within `delay` is assigned partitions together with the others.
    fn prepare(&mut self, delay: Duration) {
        self.assigned_at
            .get_or_insert_with(|| Instant::now() + delay);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Assigns the partitions, if it is time.
    fn settle(&mut self) {
        if self.assigned_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.assigned_at = None;
        let mut by_topic: BTreeMap<Arc<str>, Vec<&mut MemberState>> = BTreeMap::new();
        for member in self.members.values_mut() {
            by_topic
                .entry(Arc::clone(&member.topic))
                .or_default()
                .push(member);
        }
        for members in by_topic.into_values() {
            let partitions = members.first().map_or(0, |member| member.partitions);
            let ranges = ranges(partitions, members.len());
            for (member, range) in members.into_iter().zip(ranges) {
                member.assigned = range;
            }
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn describe(&self, info: &mut GroupInfo) {
        info.state = match self.assigned_at {
            _ if self.members.is_empty() => GroupState::Empty,
            Some(_) => GroupState::PreparingRebalance,
            None => GroupState::Stable,
        };
        let members = self.members.values().map(|member| MemberInfo {
            id: member.id.clone(),
            identity: member.identity.clone(),
            assignments: BTreeMap::from([(
                member.topic.to_string(),
                member.assigned.clone().collect(),
            )]),
        });
        info.members = members.collect();
    }
}
