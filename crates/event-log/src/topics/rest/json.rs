//! The bodies of the REST face.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Invalid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::durability::Durability;
use crate::topics::consumer::Delivery;
use crate::topics::groups::GroupInfo;
use crate::topics::handle::{Produced, TopicDraft, TopicInfo};
use crate::topics::record::{Header, NewRecord, StoredRecord};

/// The only node there is.
const NODE: [u32; 1] = [0];

/// Reads a body; unknown fields are ignored.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Invalid> {
    serde_json::from_slice(bytes)
        .map_err(|error| Invalid::new("the body", format!("is not as expected: {error}")))
}

/// The answer where nothing else is to be said.
#[derive(Serialize)]
pub(super) struct Done {
    success: bool,
}

impl Default for Done {
    fn default() -> Self {
        Self { success: true }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewTopicBody {
    #[serde(default)]
    name: String,
    #[serde(default)]
    num_partitions: i64,
    #[serde(default)]
    replication_factor: i64,
    #[serde(default)]
    configs: BTreeMap<String, Config>,
}

/// A number may be written as one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Config {
    Text(String),
    Number(serde_json::Number),
}

impl From<NewTopicBody> for TopicDraft {
    fn from(body: NewTopicBody) -> Self {
        let configs = body.configs.into_iter().map(|(name, config)| match config {
            Config::Text(text) => (name, text),
            Config::Number(number) => (name, number.to_string()),
        });
        Self {
            name: body.name,
            partitions: body.num_partitions,
            replication_factor: body.replication_factor,
            configs: configs.collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct TopicsBody {
    pub(super) topics: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TopicBody {
    name: String,
    num_partitions: usize,
    replication_factor: u32,
    configs: BTreeMap<String, String>,
    partitions: Vec<PartitionBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartitionBody {
    partition_id: u32,
    beginning_offset: u64,
    end_offset: u64,
    leader: u32,
    replicas: [u32; 1],
    isr: [u32; 1],
}

impl From<TopicInfo> for TopicBody {
    fn from(topic: TopicInfo) -> Self {
        let partitions = topic.partitions.iter().zip(0..);
        let partitions = partitions.map(|(offsets, partition_id)| PartitionBody {
            partition_id,
            beginning_offset: offsets.beginning,
            end_offset: offsets.end,
            leader: NODE[0],
            replicas: NODE,
            isr: NODE,
        });
        Self {
            name: topic.name,
            num_partitions: topic.partitions.len(),
            replication_factor: 1,
            configs: topic.configs,
            partitions: partitions.collect(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ProduceBody {
    records: Vec<RecordBody>,
    acks: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordBody {
    partition: Option<i64>,
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    #[serde(default)]
    headers: Vec<HeaderBody>,
    timestamp: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeaderBody {
    key: String,
    value: Option<String>,
    value_base64: Option<String>,
}

impl ProduceBody {
    /// As over gRPC; left out it is 1.
    pub(super) fn durability(&self) -> Result<Durability, Invalid> {
        match self.acks.unwrap_or(1) {
            0 | 1 => Ok(Durability::Buffered),
            -1 => Ok(Durability::Synced),
            _ => Err(Invalid::new("acks", "must be 0, 1 or -1")),
        }
    }

    /// The records, each with its partition.
    pub(super) fn records(self) -> Result<Vec<(i64, NewRecord)>, Invalid> {
        if self.records.is_empty() {
            return Err(Invalid::new("records", "must not be empty"));
        }
        let records = self.records.into_iter().enumerate();
        records.map(|(at, record)| record.read(at)).collect()
    }
}

impl RecordBody {
    fn read(self, at: usize) -> Result<(i64, NewRecord), Invalid> {
        let path = |name: &str| format!("records[{at}].{name}");
        let key = bytes(self.key, self.key_base64, || path("key"))?;
        let value = bytes(self.value, self.value_base64, || path("value"))?;
        let headers = self.headers.into_iter().enumerate().map(|(header, body)| {
            let value = bytes(body.value, body.value_base64, || {
                path(&format!("headers[{header}].value"))
            })?;
            Ok(Header {
                key: body.key,
                value: value.unwrap_or_default(),
            })
        });
        let record = NewRecord {
            key: key.unwrap_or_default(),
            value: value.ok_or_else(|| Invalid::new(path("value"), "is missing"))?,
            headers: headers.collect::<Result<_, Invalid>>()?,
            timestamp: self.timestamp.unwrap_or(0),
        };
        Ok((self.partition.unwrap_or(-1), record))
    }
}

/// Text or Base64.
fn bytes(
    text: Option<String>,
    base64: Option<String>,
    path: impl Fn() -> String,
) -> Result<Option<Bytes>, Invalid> {
    match (text, base64) {
        (Some(_), Some(_)) => {
            let problem = "must be given once, as text or as Base64";
            Err(Invalid::new(path(), problem))
        }
        (Some(text), None) => Ok(Some(text.into())),
        (None, Some(encoded)) => STANDARD
            .decode(encoded)
            .map(|bytes| Some(bytes.into()))
            .map_err(|_| Invalid::new(format!("{}Base64", path()), "is no Base64")),
        (None, None) => Ok(None),
    }
}

#[derive(Serialize)]
pub(super) struct ProducedBody {
    records: Vec<PlaceBody>,
}

#[derive(Serialize)]
struct PlaceBody {
    partition: u32,
    offset: u64,
    timestamp: i64,
}

impl From<Vec<Produced>> for ProducedBody {
    fn from(produced: Vec<Produced>) -> Self {
        let records = produced.into_iter().map(|produced| PlaceBody {
            partition: produced.partition,
            offset: produced.offset,
            timestamp: produced.timestamp,
        });
        Self {
            records: records.collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FetchedBody<'a> {
    high_watermark: u64,
    records: Vec<StoredBody<'a>>,
}

#[derive(Serialize)]
struct StoredBody<'a> {
    partition: u32,
    offset: u64,
    timestamp: i64,
    #[serde(flatten)]
    key: Option<KeyBody<'a>>,
    #[serde(flatten)]
    value: ValueBody<'a>,
    headers: Vec<StoredHeaderBody<'a>>,
}

/// As text where it is text.
#[derive(Serialize)]
enum KeyBody<'a> {
    #[serde(rename = "key")]
    Text(&'a str),
    #[serde(rename = "keyBase64")]
    Base64(String),
}

/// As text where it is text.
#[derive(Serialize)]
enum ValueBody<'a> {
    #[serde(rename = "value")]
    Text(&'a str),
    #[serde(rename = "valueBase64")]
    Base64(String),
}

#[derive(Serialize)]
struct StoredHeaderBody<'a> {
    key: Cow<'a, str>,
    #[serde(flatten)]
    value: ValueBody<'a>,
}

impl<'a> ValueBody<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Base64(STANDARD.encode(bytes)), Self::Text)
    }
}

impl<'a> From<&'a Delivery> for FetchedBody<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        let records = delivery.records.iter();
        Self {
            high_watermark: delivery.high_watermark,
            records: records
                .map(|record| StoredBody::new(record, delivery.partition))
                .collect(),
        }
    }
}

impl<'a> StoredBody<'a> {
    fn new(record: &'a StoredRecord, partition: u32) -> Self {
        let key = match ValueBody::new(&record.key) {
            // Protocol Buffers do not tell an empty key from none.
            ValueBody::Text("") => None,
            ValueBody::Text(text) => Some(KeyBody::Text(text)),
            ValueBody::Base64(encoded) => Some(KeyBody::Base64(encoded)),
        };
        let headers = record.headers.iter().map(|header| StoredHeaderBody {
            key: header.key.as_str().into(),
            value: ValueBody::new(&header.value),
        });
        Self {
            partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key,
            value: ValueBody::new(&record.value),
            headers: headers.collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct GroupsBody {
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
pub(super) struct GroupBody<'a> {
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
        let members = group.members.iter().map(|member| {
            let partitions = member.partitions.iter();
            MemberBody {
                member_id: &member.id,
                client_id: &member.identity.client_id,
                client_host: &member.identity.client_host,
                assignments: partitions
                    .map(|number| offset(&member.topic, *number))
                    .collect(),
            }
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
pub(super) struct OffsetsBody {
    offsets: Vec<OffsetBody<'static>>,
}

impl OffsetsBody {
    /// Topic, partition, next offset to read.
    pub(super) fn offsets(self) -> Vec<(String, i64, i64)> {
        let offsets = self.offsets.into_iter();
        offsets
            .map(|offset| (offset.topic.into_owned(), offset.partition, offset.offset))
            .collect()
    }
}
