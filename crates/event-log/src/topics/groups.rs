//! Consumer groups: members, who of them reads what, and committed offsets.
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
use crate::durability::Durability;
use crate::group_commit::{Budget, GroupCommit};

/// Changes that may wait to be written.
const CAPACITY: usize = 64 * 1024;

/// All groups of a directory. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Groups(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    active: Mutex<HashMap<String, Group>>,
    offsets: Offsets,
    file: GroupCommit<OffsetsFile>,
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

/// Who a member says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Metadata `client-id`; may be empty.
    pub client_id: String,
    /// The address that it calls from; may be empty.
    pub client_host: String,
}

/// Whether a group reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No members.
    Empty,
    /// A member came or went; the partitions are about to be assigned.
    PreparingRebalance,
    /// Every partition has its member.
    Stable,
}

impl GroupState {
    /// The name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// A group, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupInfo {
    /// Its name.
    pub id: String,
    /// Whether it reads.
    pub state: GroupState,
    /// In the order in which they came.
    pub members: Vec<MemberInfo>,
    /// By topic and partition, the next offset to read.
    pub offsets: BTreeMap<(String, u32), u64>,
}

/// A member, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// Unique.
    pub id: String,
    /// Who it says it is.
    pub identity: Identity,
    /// Its topic.
    pub topic: String,
    /// The partitions that it reads.
    pub partitions: Vec<u32>,
}

impl Groups {
    pub(crate) fn new(
        file: OffsetsFile,
        offsets: Offsets,
        budget: Budget,
        delay: Duration,
    ) -> Self {
        Self(Arc::new(Shared {
            active: Mutex::default(),
            offsets,
            file: GroupCommit::new(file, CAPACITY, budget),
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

    async fn write(&self, change: Change) -> Result<(), TopicsError> {
        let bytes = size_of_val(&change);
        let written = self.0.file.append(change, bytes, Durability::Synced).await;
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
            topic: member.topic.to_string(),
            partitions: member.assigned.clone().collect(),
        });
        info.members = members.collect();
    }
}

impl GroupInfo {
    /// What kind of group it is, in answers.
    pub const PROTOCOL: &str = "consumer";

    /// The next offset to read, where one is committed.
    #[must_use]
    pub fn committed(&self, topic: &str, partition: u32) -> Option<u64> {
        self.offsets.get(&(topic.to_owned(), partition)).copied()
    }

    fn empty(id: &str, offsets: Committed) -> Self {
        Self {
            id: id.to_owned(),
            state: GroupState::Empty,
            members: Vec::new(),
            offsets,
        }
    }
}

/// A member of a group, which leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    groups: Groups,
    group: String,
    number: u64,
    changes: watch::Receiver<u64>,
}

impl Member {
    /// The group's name.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// Whether the assignment has changed since [`assigned`](Self::assigned) gave it.
    pub(crate) fn is_outdated(&self) -> bool {
        self.changes.has_changed().unwrap_or(true)
    }

    /// Waits until it has changed.
    pub(crate) async fn outdated(&mut self) {
        let mut changes = self.changes.clone();
        // Not marked as seen in `self.changes`: that is for `assigned`. The sender lives as long as the member.
        drop(changes.changed().await);
    }

    /// The partitions that this member reads, once all are assigned.
    pub(crate) async fn assigned(&mut self) -> std::ops::Range<u32> {
        loop {
            let at = {
                let mut active = self.groups.active();
                let Some(group) = active.get_mut(&self.group) else {
                    return 0..0;
                };
                group.settle();
                self.changes.mark_unchanged();
                match group.assigned_at {
                    None => {
                        let member = group.members.get(&self.number);
                        return member.map_or(0..0, |member| member.assigned.clone());
                    }
                    Some(at) => at,
                }
            };
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                changed = self.changes.changed() => if changed.is_err() {
                    return 0..0;
                },
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut active = self.groups.active();
        let Some(group) = active.get_mut(&self.group) else {
            return;
        };
        group.members.remove(&self.number);
        tracing::debug!(group = self.group, number = self.number, "left");
        if group.members.is_empty() {
            // What is committed stays.
            active.remove(&self.group);
        } else {
            group.prepare(self.groups.0.delay);
        }
    }
}
