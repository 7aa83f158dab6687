//! Clients of the two interfaces of the event log, over gRPC and over REST.
//!
//! - this file: over gRPC, and the choice; `rest`: over REST; `records`: what is read and written

mod records;
mod rest;

use anyhow::{Context, Result, bail, ensure};
use api::immutable_log::{
    AppendRequest, AppendResponse, ReadRequest, ReadResponse, VerifyRequest, VerifyResponse,
};
use api::takhin::{
    ConsumeMessagesRequest, ConsumeMessagesResponse, CreateTopicRequest, CreateTopicResponse,
    DeleteTopicRequest, DeleteTopicResponse, GetPartitionOffsetsRequest,
    GetPartitionOffsetsResponse, ProduceMessageRequest, ProduceMessageResponse, Record,
};
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Protocol, Target};
use service_client::ClientChannel;

use crate::verify::wire::{connect, stream_on, unary_on};
use records::READ_BYTES;
use rest::{RestChain, RestTopics};

pub(crate) use records::{Entry, header};

/// A client of one interface, on a connection of its own.
pub(crate) enum LogClient {
    /// `takhin.v1.TakhinService`, `/api/v1/topics`.
    Topics(TopicsClient),
    /// `immutablelog.ImmutableLogService`, `/api/v1/logs`.
    Chain(ChainClient),
}

impl LogClient {
    pub(crate) async fn connect(target: &Target, at: &Endpoint) -> Result<Self> {
        if target.protocol == Protocol::Rest {
            let path = &target.rest.as_ref().context("[target.rest]")?.path;
            return if path.contains("{topic}") {
                Ok(Self::Topics(TopicsClient::Rest(RestTopics::of(path, at)?)))
            } else if path.contains("{partition}") {
                Ok(Self::Chain(ChainClient::Rest(RestChain::of(path, at)?)))
            } else {
                bail!("rest.path {path}: of the scenario 'log' it holds {{topic}} or {{partition}}")
            };
        }
        let service = service(target)?;
        let channel = connect(at).await?;
        match service {
            TOPICS => Ok(Self::Topics(TopicsClient::Grpc(channel))),
            CHAIN => Ok(Self::Chain(ChainClient::Grpc(channel))),
            other => bail!("grpc.service {other}: the scenario 'log' knows topics and chains only"),
        }
    }
}

/// The service of topics.
const TOPICS: &str = "takhin.v1.TakhinService";
/// The service of hash-chained partitions.
const CHAIN: &str = "immutablelog.ImmutableLogService";

async fn call<Q, A>(channel: &ClientChannel, service: &str, method: &str, question: Q) -> Result<A>
where
    Q: prost::Message + Send + Sync + 'static,
    A: prost::Message + Default + Send + Sync + 'static,
{
    let path = format!("/{service}/{method}");
    let answer = unary_on(channel, &path, question).await?;
    answer.with_context(|| method.to_owned())
}

/// Topics.
pub(crate) enum TopicsClient {
    /// Over gRPC.
    Grpc(ClientChannel),
    /// Over REST.
    Rest(RestTopics),
}

impl TopicsClient {
    pub(super) async fn create(&self, name: &str, partitions: i32) -> Result<()> {
        let channel = match self {
            Self::Grpc(channel) => channel,
            Self::Rest(rest) => return rest.create(name, partitions).await,
        };
        let question = CreateTopicRequest {
            name: name.into(),
            num_partitions: partitions,
            ..Default::default()
        };
        let answer: CreateTopicResponse = call(channel, TOPICS, "CreateTopic", question).await?;
        ensure!(answer.success, "CreateTopic: {}", answer.error);
        Ok(())
    }

    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let channel = match self {
            Self::Grpc(channel) => channel,
            Self::Rest(rest) => return rest.delete(name).await,
        };
        let question = DeleteTopicRequest { name: name.into() };
        let answer: DeleteTopicResponse = call(channel, TOPICS, "DeleteTopic", question).await?;
        ensure!(answer.success, "DeleteTopic: {}", answer.error);
        Ok(())
    }

    pub(super) async fn produce(&self, topic: &str, partition: i32, value: &str) -> Result<i64> {
        let channel = match self {
            Self::Grpc(channel) => channel,
            Self::Rest(rest) => return rest.produce(topic, partition, value).await,
        };
        let question = ProduceMessageRequest {
            topic: topic.into(),
            partition,
            record: Some(Record {
                value: value.as_bytes().to_vec().into(),
                headers: vec![header()],
                ..Default::default()
            }),
            required_acks: -1,
            timeout_ms: 5000,
        };
        let answer: ProduceMessageResponse =
            call(channel, TOPICS, "ProduceMessage", question).await?;
        ensure!(answer.error.is_empty(), "ProduceMessage: {}", answer.error);
        Ok(answer.offset)
    }

    /// All records that a partition holds now. An error where offsets have gaps.
    pub(crate) async fn read(&self, topic: &str, partition: i32) -> Result<Vec<Record>> {
        let channel = match self {
            Self::Grpc(channel) => channel,
            Self::Rest(rest) => return rest.read(topic, partition).await,
        };
        let question = GetPartitionOffsetsRequest {
            topic: topic.into(),
            partition,
        };
        let ends: GetPartitionOffsetsResponse =
            call(channel, TOPICS, "GetPartitionOffsets", question).await?;
        ensure!(ends.error.is_empty(), "GetPartitionOffsets: {}", ends.error);
        let mut next = ends.beginning_offset;
        let mut all = Vec::new();
        while next < ends.end_offset {
            let question = ConsumeMessagesRequest {
                topic: topic.into(),
                partition,
                offset: next,
                max_bytes: READ_BYTES,
                ..Default::default()
            };
            let path = "/takhin.v1.TakhinService/ConsumeMessages";
            // The stream never ends by itself: a few answers at a time, then on from there.
            let answers = stream_on::<_, ConsumeMessagesResponse>(channel, path, question, 1);
            let answers = answers.await?.context("ConsumeMessages")?;
            let before = next;
            for record in answers.into_iter().flat_map(|answer| answer.records) {
                ensure!(
                    record.offset == next,
                    "partition {partition}: offset {} came, not {next}",
                    record.offset
                );
                next += 1;
                all.push(record);
            }
            ensure!(
                next > before,
                "partition {partition}: nothing came at offset {next}"
            );
        }
        Ok(all)
    }
}

/// Hash-chained partitions.
pub(crate) enum ChainClient {
    /// Over gRPC.
    Grpc(ClientChannel),
    /// Over REST.
    Rest(RestChain),
}

impl ChainClient {
    pub(super) async fn append(&self, partition: &str, data: &str) -> Result<u64> {
        let channel = match self {
            Self::Grpc(channel) => channel,
            Self::Rest(rest) => return rest.append(partition, data).await,
        };
        let question = AppendRequest {
            partition: partition.into(),
            data: data.into(),
        };
        let answer: AppendResponse = call(channel, CHAIN, "Append", question).await?;
        ensure!(answer.success, "Append: {}", answer.error);
        Ok(answer.seq)
    }

    /// How many entries the service has verified; an error where it found a fault.
    pub(crate) async fn verify(&self, partition: &str) -> Result<u64> {
        let channel = match self {
            Self::Grpc(channel) => channel,
            Self::Rest(rest) => return rest.verify(partition).await,
        };
        let question = VerifyRequest {
            partition: partition.into(),
        };
        let answer: VerifyResponse = call(channel, CHAIN, "Verify", question).await?;
        ensure!(answer.valid, "Verify: {}", answer.error);
        Ok(answer.entries_verified)
    }

    /// All entries of a partition.
    pub(crate) async fn read(&self, partition: &str) -> Result<Vec<Entry>> {
        let channel = match self {
            Self::Grpc(channel) => channel,
            Self::Rest(rest) => return rest.read(partition).await,
        };
        let question = ReadRequest {
            partition: partition.into(),
            ..Default::default()
        };
        let path = "/immutablelog.ImmutableLogService/Read";
        let answers = stream_on::<_, ReadResponse>(channel, path, question, usize::MAX).await?;
        let answers = answers.context("Read")?;
        Ok(answers
            .into_iter()
            .map(|found| Entry {
                seq: found.seq,
                timestamp: found.timestamp,
                prev_hash: found.prev_hash,
                data: found.data,
                hash: found.hash,
            })
            .collect())
    }
}

/// Which interface a target is.
fn service(target: &Target) -> Result<&str> {
    let grpc = target.grpc.as_ref();
    let grpc =
        grpc.context("the scenario 'log' is measured over gRPC: [target.grpc] is missing")?;
    Ok(&grpc.service)
}
