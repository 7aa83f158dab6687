//! The bodies of the REST face.

use std::collections::BTreeMap;

use domain::Invalid;
use serde::{Deserialize, Serialize};
use topics::{TopicDraft, TopicInfo};

mod groups;
mod object;
mod records;

use object::{Object, or_default};

pub(super) use groups::{GroupBody, GroupsBody, OffsetsBody};
pub(super) use records::{FetchedBody, ProduceBody, ProducedBody};

/// Reads a body; unknown fields are ignored.
pub(super) fn parse<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Result<T, Invalid> {
    match serde_json::from_slice(bytes) {
        Ok(Object(body)) => Ok(body),
        Err(error) => {
            let problem = format!("is not as expected: {error}");
            Err(Invalid::new("the body", problem))
        }
    }
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
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    #[serde(default, deserialize_with = "or_default")]
    num_partitions: i64,
    #[serde(default, deserialize_with = "or_default")]
    replication_factor: i64,
    #[serde(default, deserialize_with = "or_default")]
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
    replication_factor: usize,
    configs: BTreeMap<String, String>,
    partitions: Vec<PartitionBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartitionBody {
    partition_id: u32,
    beginning_offset: u64,
    end_offset: u64,
    leader: i32,
    replicas: Vec<i32>,
    isr: Vec<i32>,
}

impl From<TopicInfo> for TopicBody {
    fn from(topic: TopicInfo) -> Self {
        let (num_partitions, replication_factor) =
            (topic.partitions.len(), topic.replication_factor());
        let partitions = topic.partitions.into_iter().zip(0..);
        let partitions = partitions.map(|(partition, partition_id)| PartitionBody {
            partition_id,
            beginning_offset: partition.offsets.beginning,
            end_offset: partition.offsets.end,
            leader: partition.leader,
            replicas: partition.replicas,
            isr: partition.isr,
        });
        Self {
            name: topic.name,
            num_partitions,
            replication_factor,
            configs: topic.configs,
            partitions: partitions.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault<T: for<'a> Deserialize<'a>>(body: &str) -> String {
        let parsed = parse::<T>(body.as_bytes());
        parsed.map(|_| ()).expect_err(body).to_string()
    }

    #[test]
    fn objects_are_no_lists_of_their_members() {
        for fault in [
            fault::<NewTopicBody>(r#"["t",2]"#),
            fault::<ProduceBody>(r#"[[],1]"#),
            fault::<ProduceBody>(r#"{"records":[[1,"k",null,"v",null,[],0]]}"#),
            fault::<ProduceBody>(r#"{"records":[{"value":"v","headers":[["k","v"]]}]}"#),
            fault::<OffsetsBody>(r#"{"offsets":[["t",0,1]]}"#),
        ] {
            let told = "invalid type: sequence, expected an object at line 1";
            assert!(fault.contains(told), "{fault}");
        }
    }

    #[test]
    fn null_is_as_good_as_nothing() {
        let body = r#"{"name":"t","numPartitions":null,"replicationFactor":null,"configs":null}"#;
        let topic: NewTopicBody = parse(body.as_bytes()).expect("a topic");
        assert_eq!((topic.num_partitions, topic.configs.len()), (0, 0));
        let body =
            r#"{"records":[{"value":"v","key":null,"headers":null,"timestamp":null}],"acks":null}"#;
        let records: ProduceBody = parse(body.as_bytes()).expect("records");
        assert_eq!(records.records().expect("a record").len(), 1);
    }

    #[test]
    fn a_fault_of_a_record_says_of_which() {
        let body = r#"{"records":[{"value":"v"},{"value":"v","timestamp":-1}]}"#;
        let records: ProduceBody = parse(body.as_bytes()).expect("records");
        let fault = records
            .records()
            .expect_err("a time before 1970")
            .to_string();
        assert!(
            fault.contains("records[1].timestamp must not be negative"),
            "{fault}"
        );
    }
}
