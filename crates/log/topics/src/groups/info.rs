//! Groups and members, described.

use std::collections::BTreeMap;

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
    /// By topic that it reads, the partitions that it is assigned.
    pub assignments: BTreeMap<String, Vec<u32>>,
}

impl MemberInfo {
    /// What it is assigned: topics and partitions, in order.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, u32)> {
        let topics = self.assignments.iter();
        topics.flat_map(|(topic, partitions)| {
            partitions
                .iter()
                .map(|partition| (topic.as_str(), *partition))
        })
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

    /// A group that only has offsets.
    #[must_use]
    pub fn empty(id: &str, offsets: BTreeMap<(String, u32), u64>) -> Self {
        Self {
            id: id.to_owned(),
            state: GroupState::Empty,
            members: Vec::new(),
            offsets,
        }
    }
}
