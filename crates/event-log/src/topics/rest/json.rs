//! The bodies of the REST face.

use std::collections::BTreeMap;

use domain::Invalid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::topics::handle::{TopicDraft, TopicInfo};

mod groups;
mod records;

pub(super) use groups::{GroupBody, GroupsBody, OffsetsBody};
pub(super) use records::{FetchedBody, ProduceBody, ProducedBody};

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
