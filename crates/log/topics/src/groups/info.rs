//! Groups and members, described.

use std::collections::BTreeMap;

use crate::offsets::Committed;

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

impl GroupInfo {
    /// What kind of group it is, in answers.
    pub const PROTOCOL: &str = "consumer";

    /// The next offset to read, where one is committed.
    #[must_use]
    pub fn committed(&self, topic: &str, partition: u32) -> Option<u64> {
        self.offsets.get(&(topic.to_owned(), partition)).copied()
    }

    pub(super) fn empty(id: &str, offsets: Committed) -> Self {
        Self {
            id: id.to_owned(),
            state: GroupState::Empty,
            members: Vec::new(),
            offsets,
        }
    }
}
