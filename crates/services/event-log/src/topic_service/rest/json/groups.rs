//! Groups and offsets in bodies.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use topics::GroupInfo;

use super::object::Object;

#[derive(Serialize)]
pub(in crate::topic_service::rest) struct GroupsBody {
    groups: Vec<SummaryBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SummaryBody {
    group_id: String,
    state: &'static str,
    protocol_type: &'static str,
    member_count: usize,
}

impl From<Vec<GroupInfo>> for GroupsBody {
    fn from(groups: Vec<GroupInfo>) -> Self {
        let groups = groups.into_iter().map(|group| SummaryBody {
            state: group.state.name(),
            protocol_type: GroupInfo::PROTOCOL,
            member_count: group.members.len(),
            group_id: group.id,
        });
        Self {
            groups: groups.collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::topic_service::rest) struct GroupBody<'a> {
    group_id: &'a str,
    state: &'static str,
    protocol_type: &'static str,
    members: Vec<MemberBody<'a>>,
    /// What is committed.
    offsets: Vec<OffsetBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MemberBody<'a> {
    member_id: &'a str,
    client_id: &'a str,
    client_host: &'a str,
    assignments: Vec<OffsetBody<'a>>,
}

#[derive(Deserialize, Serialize)]
struct OffsetBody<'a> {
    topic: Cow<'a, str>,
    partition: i64,
    /// The next one to read; -1 where none is committed.
    offset: i64,
}

impl<'a> From<&'a GroupInfo> for GroupBody<'a> {
    fn from(group: &'a GroupInfo) -> Self {
        let offset = |topic: &'a str, partition: u32| {
            let committed = group.committed(topic, partition);
            OffsetBody {
                topic: topic.into(),
                partition: partition.into(),
                offset: committed
                    .and_then(|offset| i64::try_from(offset).ok())
                    .unwrap_or(-1),
            }
        };
        let members = group.members.iter().map(|member| MemberBody {
            member_id: &member.id,
            client_id: &member.identity.client_id,
            client_host: &member.identity.client_host,
            assignments: member
                .partitions()
                .map(|(topic, partition)| offset(topic, partition))
                .collect(),
        });
        let offsets = group.offsets.keys();
        Self {
            group_id: &group.id,
            state: group.state.name(),
            protocol_type: GroupInfo::PROTOCOL,
            members: members.collect(),
            offsets: offsets
                .map(|(topic, partition)| offset(topic, *partition))
                .collect(),
        }
    }
}

#[derive(Deserialize)]
pub(in crate::topic_service::rest) struct OffsetsBody {
    offsets: Vec<Object<OffsetBody<'static>>>,
}

impl OffsetsBody {
    /// Topic, partition, next offset to read.
    pub(in crate::topic_service::rest) fn offsets(self) -> Vec<(String, i64, i64)> {
        let offsets = self.offsets.into_iter();
        offsets
            .map(|Object(offset)| (offset.topic.into_owned(), offset.partition, offset.offset))
            .collect()
    }
}
