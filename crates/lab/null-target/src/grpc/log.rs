//! The services of the event log: records of small topics are kept and given back, everything else is counted.

use std::pin::Pin;
use std::sync::Arc;

use api::immutable_log::immutable_log_service_server::{
    ImmutableLogService, ImmutableLogServiceServer,
};
use api::immutable_log::{
    AppendRequest, AppendResponse, GetLastEntryRequest, GetLastEntryResponse,
    ListPartitionsRequest, ListPartitionsResponse, ReadRequest, ReadResponse, TailRequest,
    TailResponse, VerifyRequest, VerifyResponse,
};
use api::takhin::takhin_service_server::{TakhinService, TakhinServiceServer};
use api::takhin::*;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

use crate::work::{TIMESTAMP, Work};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Answer<T> = Result<Response<T>, Status>;

pub(super) fn topics(work: Arc<Work>) -> TakhinServiceServer<Topics> {
    TakhinServiceServer::new(Topics(work))
}

pub(super) fn chains(work: Arc<Work>) -> ImmutableLogServiceServer<Chains> {
    ImmutableLogServiceServer::new(Chains(work))
}

#[derive(Clone)]
pub(super) struct Topics(Arc<Work>);

#[derive(Clone)]
pub(super) struct Chains(Arc<Work>);

/// What no load asks of a null target.
fn does_nothing<T>() -> Answer<T> {
    Err(Status::unimplemented("a null target does not do this"))
}

impl Topics {
    fn produce(&self, request: ProduceMessageRequest) -> ProduceMessageResponse {
        let (topic, partition) = (request.topic, request.partition);
        let record = request.record.unwrap_or_default();
        let offset = self.0.produce(&topic, partition, record);
        ProduceMessageResponse {
            error: offset.map_or_else(
                || format!("topic {topic} does not exist"),
                |_| String::new(),
            ),
            topic,
            partition: partition.max(0),
            offset: offset.unwrap_or(-1),
            timestamp: 0,
        }
    }
}

#[tonic::async_trait]
impl TakhinService for Topics {
    async fn create_topic(
        &self,
        request: Request<CreateTopicRequest>,
    ) -> Answer<CreateTopicResponse> {
        let asked = request.into_inner();
        self.0.create_topic(&asked.name, asked.num_partitions);
        Ok(Response::new(CreateTopicResponse {
            success: true,
            error: String::new(),
        }))
    }

    async fn delete_topic(
        &self,
        request: Request<DeleteTopicRequest>,
    ) -> Answer<DeleteTopicResponse> {
        Ok(Response::new(DeleteTopicResponse {
            success: self.0.delete_topic(&request.into_inner().name),
            error: String::new(),
        }))
    }

    async fn list_topics(&self, _: Request<ListTopicsRequest>) -> Answer<ListTopicsResponse> {
        does_nothing()
    }

    async fn get_topic(&self, _: Request<GetTopicRequest>) -> Answer<GetTopicResponse> {
        does_nothing()
    }

    async fn describe_topics(
        &self,
        _: Request<DescribeTopicsRequest>,
    ) -> Answer<DescribeTopicsResponse> {
        does_nothing()
    }

    async fn produce_message(
        &self,
        request: Request<ProduceMessageRequest>,
    ) -> Answer<ProduceMessageResponse> {
        Ok(Response::new(self.produce(request.into_inner())))
    }

    type ProduceMessageStreamStream = Answers<ProduceMessageResponse>;

    async fn produce_message_stream(
        &self,
        request: Request<Streaming<ProduceMessageRequest>>,
    ) -> Answer<Self::ProduceMessageStreamStream> {
        let topics = self.clone();
        let answers = request
            .into_inner()
            .map(move |asked| Ok(topics.produce(asked?)));
        Ok(Response::new(Box::pin(answers)))
    }

    type ConsumeMessagesStream = Answers<ConsumeMessagesResponse>;

    async fn consume_messages(
        &self,
        request: Request<ConsumeMessagesRequest>,
    ) -> Answer<Self::ConsumeMessagesStream> {
        let asked = request.into_inner();
        let (topic, partition) = (asked.topic, asked.partition);
        let Some(records) = self.0.records(&topic, partition) else {
            return Err(Status::not_found(format!("topic {topic} does not exist")));
        };
        let answer = ConsumeMessagesResponse {
            high_watermark: i64::try_from(records.len()).unwrap_or(0),
            topic,
            partition,
            records,
            error: String::new(),
        };
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(answer)]))))
    }

    async fn commit_offset(&self, _: Request<CommitOffsetRequest>) -> Answer<CommitOffsetResponse> {
        does_nothing()
    }

    async fn list_consumer_groups(
        &self,
        _: Request<ListConsumerGroupsRequest>,
    ) -> Answer<ListConsumerGroupsResponse> {
        does_nothing()
    }

    async fn describe_consumer_group(
        &self,
        _: Request<DescribeConsumerGroupRequest>,
    ) -> Answer<DescribeConsumerGroupResponse> {
        does_nothing()
    }

    async fn delete_consumer_group(
        &self,
        _: Request<DeleteConsumerGroupRequest>,
    ) -> Answer<DeleteConsumerGroupResponse> {
        does_nothing()
    }

    async fn get_partition_offsets(
        &self,
        request: Request<GetPartitionOffsetsRequest>,
    ) -> Answer<GetPartitionOffsetsResponse> {
        let asked = request.into_inner();
        let records = self.0.records(&asked.topic, asked.partition);
        let records = records.unwrap_or_default();
        Ok(Response::new(GetPartitionOffsetsResponse {
            topic: asked.topic,
            partition: asked.partition,
            beginning_offset: 0,
            end_offset: i64::try_from(records.len()).unwrap_or(0),
            error: String::new(),
        }))
    }

    async fn health_check(&self, _: Request<HealthCheckRequest>) -> Answer<HealthCheckResponse> {
        Ok(Response::new(HealthCheckResponse {
            status: "healthy".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_seconds: 0,
        }))
    }
}

#[tonic::async_trait]
impl ImmutableLogService for Chains {
    async fn append(&self, request: Request<AppendRequest>) -> Answer<AppendResponse> {
        let data = request.into_inner().data;
        let checked = serde_json::from_str::<serde::de::IgnoredAny>(&data);
        let error = checked.err().map(|error| error.to_string());
        Ok(Response::new(AppendResponse {
            seq: if error.is_none() { self.0.append() } else { 0 },
            timestamp: TIMESTAMP.into(),
            hash: String::new(),
            success: error.is_none(),
            error: error.unwrap_or_default(),
        }))
    }

    type ReadStream = Answers<ReadResponse>;

    async fn read(&self, _: Request<ReadRequest>) -> Answer<Self::ReadStream> {
        does_nothing()
    }

    async fn verify(&self, _: Request<VerifyRequest>) -> Answer<VerifyResponse> {
        does_nothing()
    }

    async fn list_partitions(
        &self,
        _: Request<ListPartitionsRequest>,
    ) -> Answer<ListPartitionsResponse> {
        does_nothing()
    }

    async fn get_last_entry(
        &self,
        _: Request<GetLastEntryRequest>,
    ) -> Answer<GetLastEntryResponse> {
        does_nothing()
    }

    type TailStream = Answers<TailResponse>;

    async fn tail(&self, _: Request<TailRequest>) -> Answer<Self::TailStream> {
        does_nothing()
    }
}
