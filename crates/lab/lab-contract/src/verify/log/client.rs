//! Clients of the two interfaces of the event log.

use anyhow::{Context, Result, bail, ensure};
use api::immutable_log::{
    AppendRequest, AppendResponse, ReadRequest, ReadResponse, VerifyRequest, VerifyResponse,
};
use api::takhin::{
    ConsumeMessagesRequest, ConsumeMessagesResponse, CreateTopicRequest, CreateTopicResponse,
    DeleteTopicRequest, DeleteTopicResponse, GetPartitionOffsetsRequest,
    GetPartitionOffsetsResponse, ProduceMessageRequest, ProduceMessageResponse, Record,
    RecordHeader,
};
use lab_model::endpoint::Endpoint;
use lab_model::targets::Target;
use service_client::ClientChannel;

use crate::verify::wire::{connect, stream_on, unary_on};

/// Bytes of one answer while records are read.
const READ_BYTES: i32 = 1 << 20;

/// A client of one interface, on a connection of its own.
pub(crate) enum LogClient {
    /// `takhin.v1.TakhinService`.
    Topics(TopicsClient),
    /// `immutablelog.ImmutableLogService`.
    Chain(ChainClient),
}

impl LogClient {
    pub(crate) async fn connect(target: &Target, at: &Endpoint) -> Result<Self> {
        let service = super::service(target)?;
        let channel = connect(at).await?;
        match service {
            "takhin.v1.TakhinService" => Ok(Self::Topics(TopicsClient(channel))),
            "immutablelog.ImmutableLogService" => Ok(Self::Chain(ChainClient(channel))),
            other => bail!("grpc.service {other}: the scenario 'log' knows topics and chains only"),
        }
    }
}

/// Topics.
pub(crate) struct TopicsClient(ClientChannel);

impl TopicsClient {
    async fn call<Q, A>(&self, method: &str, question: Q) -> Result<A>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let path = format!("/takhin.v1.TakhinService/{method}");
        let answer = unary_on(&self.0, &path, question).await?;
        answer.with_context(|| method.to_owned())
    }

    pub(super) async fn create(&self, name: &str, partitions: i32) -> Result<()> {
        let question = CreateTopicRequest {
            name: name.into(),
            num_partitions: partitions,
            ..Default::default()
        };
        let answer: CreateTopicResponse = self.call("CreateTopic", question).await?;
        ensure!(answer.success, "CreateTopic: {}", answer.error);
        Ok(())
    }

    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let question = DeleteTopicRequest { name: name.into() };
        let answer: DeleteTopicResponse = self.call("DeleteTopic", question).await?;
        ensure!(answer.success, "DeleteTopic: {}", answer.error);
        Ok(())
    }

    pub(super) async fn produce(&self, topic: &str, partition: i32, value: &str) -> Result<i64> {
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
        let answer: ProduceMessageResponse = self.call("ProduceMessage", question).await?;
        ensure!(answer.error.is_empty(), "ProduceMessage: {}", answer.error);
        Ok(answer.offset)
    }

    /// All records that a partition holds now. An error where offsets have gaps.
    pub(crate) async fn read(&self, topic: &str, partition: i32) -> Result<Vec<Record>> {
        let question = GetPartitionOffsetsRequest {
            topic: topic.into(),
            partition,
        };
        let ends: GetPartitionOffsetsResponse = self.call("GetPartitionOffsets", question).await?;
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
            let answers = stream_on::<_, ConsumeMessagesResponse>(&self.0, path, question, 1);
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

/// The header that the check gives each of its records.
pub(super) fn header() -> RecordHeader {
    RecordHeader {
        key: "weir".into(),
        value: "verify".into(),
    }
}

/// Hash-chained partitions.
pub(crate) struct ChainClient(ClientChannel);

/// An entry as it is read.
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(super) timestamp: String,
    pub(crate) prev_hash: String,
    pub(crate) data: String,
    pub(crate) hash: String,
}

impl ChainClient {
    async fn call<Q, A>(&self, method: &str, question: Q) -> Result<A>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let path = format!("/immutablelog.ImmutableLogService/{method}");
        let answer = unary_on(&self.0, &path, question).await?;
        answer.with_context(|| method.to_owned())
    }

    pub(super) async fn append(&self, partition: &str, data: &str) -> Result<u64> {
        let question = AppendRequest {
            partition: partition.into(),
            data: data.into(),
        };
        let answer: AppendResponse = self.call("Append", question).await?;
        ensure!(answer.success, "Append: {}", answer.error);
        Ok(answer.seq)
    }

    /// How many entries the service has verified; an error where it found a fault.
    pub(crate) async fn verify(&self, partition: &str) -> Result<u64> {
        let question = VerifyRequest {
            partition: partition.into(),
        };
        let answer: VerifyResponse = self.call("Verify", question).await?;
        ensure!(answer.valid, "Verify: {}", answer.error);
        Ok(answer.entries_verified)
    }

    /// All entries of a partition.
    pub(crate) async fn read(&self, partition: &str) -> Result<Vec<Entry>> {
        let question = ReadRequest {
            partition: partition.into(),
            ..Default::default()
        };
        let path = "/immutablelog.ImmutableLogService/Read";
        let answers = stream_on::<_, ReadResponse>(&self.0, path, question, usize::MAX).await?;
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
