//! The gRPC face: `takhin.v1.TakhinService`. Decodes, calls [`TopicLog`], encodes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::takhin::takhin_service_server::{TakhinService, TakhinServiceServer};
use api::takhin::{
    CommitOffsetRequest, CommitOffsetResponse, ConsumeMessagesRequest, ConsumeMessagesResponse,
    CreateTopicRequest, CreateTopicResponse, DeleteConsumerGroupRequest,
    DeleteConsumerGroupResponse, DeleteTopicRequest, DeleteTopicResponse,
    DescribeConsumerGroupRequest, DescribeConsumerGroupResponse, DescribeTopicsRequest,
    DescribeTopicsResponse, GetPartitionOffsetsRequest, GetPartitionOffsetsResponse,
    GetTopicRequest, GetTopicResponse, HealthCheckRequest, HealthCheckResponse,
    ListConsumerGroupsRequest, ListConsumerGroupsResponse, ListTopicsRequest, ListTopicsResponse,
    ProduceMessageRequest, ProduceMessageResponse,
};
use domain::Invalid;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use protect::Verb;
use runtime::protection::{denied, grpc_caller};
use runtime::shutdown::InFlight;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use topics::{
    Deliveries, Identity, MAX_RECORD_BYTES, Pace, Start, TopicDraft, TopicLog, TopicsError,
};

use super::failure::status;
use crate::access;
use crate::writable::Writable;

mod convert;
mod produce_stream;

use convert::{acks, refused, wait};
use produce_stream::ProduceStream;

/// The service's full name.
pub const SERVICE: &str = "takhin.v1.TakhinService";
/// Largest message: a record, and what is around it.
pub const MAX_MESSAGE_BYTES: usize = MAX_RECORD_BYTES + 64 * 1024;

/// The service; clones share the handle.
#[derive(Clone, Debug)]
pub struct Face {
    topics: Arc<dyn TopicLog>,
    in_flight: InFlight,
    /// Longest wait for a sync where the request names none.
    timeout: Duration,
    writable: Writable,
    started: Instant,
}

/// The tonic service over `topics`. `timeout` is the longest wait for a sync where a request names none.
#[must_use]
pub fn service(
    topics: Arc<dyn TopicLog>,
    in_flight: InFlight,
    timeout: Duration,
    writable: Writable,
) -> TakhinServiceServer<Face> {
    let face = Face {
        topics,
        in_flight,
        timeout,
        writable,
        started: Instant::now(),
    };
    TakhinServiceServer::new(face)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        // Bounded by what is read at once.
        .max_encoding_message_size(usize::MAX)
}

impl Face {
    /// Runs `work` as a request in flight.
    async fn run<T>(
        &self,
        work: impl Future<Output = Result<T, TopicsError>>,
    ) -> Result<T, TopicsError> {
        let done = self.in_flight.run(work).await;
        done.map_err(|_| TopicsError::ShuttingDown).flatten()
    }

    async fn consumer(
        &self,
        request: &Request<ConsumeMessagesRequest>,
    ) -> Result<Box<dyn Deliveries>, TopicsError> {
        let asked = request.get_ref();
        let start = Start::parse(asked.offset)?;
        let pace = Pace::parse(
            asked.max_bytes.into(),
            asked.min_bytes.into(),
            asked.max_wait_ms.into(),
        )?;
        if asked.partition >= 0 {
            let partition = asked.partition.into();
            let consumer = self.topics.consume(&asked.topic, partition, start, pace);
            return consumer.await;
        }
        let group = text(request.metadata(), "group-id");
        if asked.partition < -1 || group.is_empty() {
            let problem = "must be at least 0, or -1 with a group in the metadata group-id";
            return Err(Invalid::new("partition", problem).into());
        }
        let identity = Identity {
            client_id: text(request.metadata(), "client-id").to_owned(),
            client_host: request
                .remote_addr()
                .map_or_else(String::new, |address| address.ip().to_string()),
        };
        let consumer = self.topics.join(group, identity, &asked.topic, start, pace);
        consumer.await
    }
}

/// Whether the caller may do `verb` to `name`; else the answer is PERMISSION_DENIED, whether or not it exists.
fn allowed<T>(request: &Request<T>, verb: Verb, name: &str) -> Result<(), Status> {
    grpc_caller(request).check(verb, name).map_err(denied)
}

/// A value of the metadata; empty where there is none.
fn text<'a>(metadata: &'a MetadataMap, name: &str) -> &'a str {
    let value = metadata.get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Ends with the status that says why.
fn deliveries(
    consumer: Box<dyn Deliveries>,
) -> impl stream::Stream<Item = Result<ConsumeMessagesResponse, Status>> + Send {
    stream::unfold(Some(consumer), |consumer| async move {
        let mut consumer = consumer?;
        Some(match consumer.next().await {
            Ok(delivery) => {
                let response = convert::delivery(consumer.topic(), delivery);
                (Ok(response), Some(consumer))
            }
            Err(error) => (Err(status(error)), None),
        })
    })
}

#[tonic::async_trait]
impl TakhinService for Face {
    async fn create_topic(
        &self,
        request: Request<CreateTopicRequest>,
    ) -> Result<Response<CreateTopicResponse>, Status> {
        allowed(&request, Verb::TopicsAdmin, &request.get_ref().name)?;
        let asked = request.into_inner();
        let draft = TopicDraft {
            name: asked.name,
            partitions: asked.num_partitions.into(),
            replication_factor: asked.replication_factor.into(),
            configs: asked.configs.into_iter().collect(),
        };
        let made = self.run(self.topics.create(draft)).await;
        refused(made, |made, error| CreateTopicResponse {
            success: made.is_some(),
            error,
        })
    }

    async fn delete_topic(
        &self,
        request: Request<DeleteTopicRequest>,
    ) -> Result<Response<DeleteTopicResponse>, Status> {
        allowed(&request, Verb::TopicsAdmin, &request.get_ref().name)?;
        let deleted = self.run(self.topics.delete(&request.get_ref().name)).await;
        refused(deleted, |deleted, error| DeleteTopicResponse {
            success: deleted.is_some(),
            error,
        })
    }

    async fn list_topics(
        &self,
        request: Request<ListTopicsRequest>,
    ) -> Result<Response<ListTopicsResponse>, Status> {
        let names = self.topics.names().await.map_err(status)?;
        let topics = access::seen_topics(&grpc_caller(&request), names);
        Ok(Response::new(ListTopicsResponse { topics }))
    }

    async fn get_topic(
        &self,
        request: Request<GetTopicRequest>,
    ) -> Result<Response<GetTopicResponse>, Status> {
        let name = &request.get_ref().name;
        access::see_topic(&grpc_caller(&request), name).map_err(denied)?;
        let topic = self.topics.describe(name).await;
        refused(topic, |topic, error| GetTopicResponse {
            topic: topic.map(convert::topic),
            error,
        })
    }

    /// Of the topics named, those that are there; all where none is named.
    async fn describe_topics(
        &self,
        request: Request<DescribeTopicsRequest>,
    ) -> Result<Response<DescribeTopicsResponse>, Status> {
        let caller = grpc_caller(&request);
        let mut names = request.into_inner().topics;
        if names.is_empty() {
            let all = self.topics.names().await.map_err(status)?;
            names = access::seen_topics(&caller, all);
        }
        for name in &names {
            access::see_topic(&caller, name).map_err(denied)?;
        }
        let mut topics = Vec::with_capacity(names.len());
        for name in &names {
            match self.topics.describe(name).await {
                Ok(topic) => topics.push(convert::topic(topic)),
                Err(error @ TopicsError::Kafka(_)) => return Err(status(error)),
                Err(_) => {}
            }
        }
        Ok(Response::new(DescribeTopicsResponse { topics }))
    }

    async fn produce_message(
        &self,
        request: Request<ProduceMessageRequest>,
    ) -> Result<Response<ProduceMessageResponse>, Status> {
        allowed(&request, Verb::TopicsProduce, &request.get_ref().topic)?;
        let asked = request.into_inner();
        let (topic, partition) = (asked.topic, asked.partition);
        let produced = self.run(async {
            let acks = acks(asked.required_acks)?;
            let timeout = wait(asked.timeout_ms)?.unwrap_or(self.timeout);
            let record = convert::record(asked.record)?;
            let records = vec![(partition.into(), record)];
            let produced = self.topics.produce_all(&topic, records, acks, timeout);
            produced.await?.pop().ok_or(TopicsError::Internal)
        });
        let produced = produced.await;
        refused(produced, |produced, error| {
            convert::produced(topic, partition, produced, error)
        })
    }

    type ProduceMessageStreamStream = ProduceStream;

    async fn produce_message_stream(
        &self,
        request: Request<Streaming<ProduceMessageRequest>>,
    ) -> Result<Response<ProduceStream>, Status> {
        let caller = grpc_caller(&request);
        let inbound = request.into_inner();
        let in_flight = self.in_flight.clone();
        let stream = ProduceStream::new(Arc::clone(&self.topics), caller, inbound, in_flight);
        Ok(Response::new(stream))
    }

    type ConsumeMessagesStream = BoxStream<'static, Result<ConsumeMessagesResponse, Status>>;

    async fn consume_messages(
        &self,
        request: Request<ConsumeMessagesRequest>,
    ) -> Result<Response<Self::ConsumeMessagesStream>, Status> {
        allowed(&request, Verb::TopicsConsume, &request.get_ref().topic)?;
        let group = text(request.metadata(), "group-id");
        if request.get_ref().partition < 0 && !group.is_empty() {
            allowed(&request, Verb::GroupsUse, group)?;
        }
        let consumer = self.consumer(&request).await.map_err(status)?;
        Ok(Response::new(deliveries(consumer).boxed()))
    }

    async fn commit_offset(
        &self,
        request: Request<CommitOffsetRequest>,
    ) -> Result<Response<CommitOffsetResponse>, Status> {
        let asked = request.get_ref();
        let named = asked.offsets.iter().map(|offset| offset.topic.as_str());
        access::commit(&grpc_caller(&request), &asked.group_id, named).map_err(denied)?;
        let asked = request.into_inner();
        let offsets = asked.offsets.into_iter();
        let offsets = offsets.map(|offset| (offset.topic, offset.partition.into(), offset.offset));
        let committed = self
            .run(self.topics.commit(&asked.group_id, offsets.collect()))
            .await;
        refused(committed, |committed, error| CommitOffsetResponse {
            success: committed.is_some(),
            error,
        })
    }

    async fn list_consumer_groups(
        &self,
        request: Request<ListConsumerGroupsRequest>,
    ) -> Result<Response<ListConsumerGroupsResponse>, Status> {
        let groups = self.topics.groups().await.map_err(status)?;
        let groups = access::seen_groups(&grpc_caller(&request), groups);
        let groups = groups.into_iter().map(convert::group_summary).collect();
        Ok(Response::new(ListConsumerGroupsResponse { groups }))
    }

    async fn describe_consumer_group(
        &self,
        request: Request<DescribeConsumerGroupRequest>,
    ) -> Result<Response<DescribeConsumerGroupResponse>, Status> {
        allowed(&request, Verb::GroupsUse, &request.get_ref().group_id)?;
        let caller = grpc_caller(&request);
        let id = request.into_inner().group_id;
        let group = self.topics.group(&id).await;
        let group = group.map(|group| access::seen_group(&caller, group));
        refused(group, |group, error| convert::group(id, group, error))
    }

    async fn delete_consumer_group(
        &self,
        request: Request<DeleteConsumerGroupRequest>,
    ) -> Result<Response<DeleteConsumerGroupResponse>, Status> {
        allowed(&request, Verb::GroupsUse, &request.get_ref().group_id)?;
        let deleted = self
            .run(self.topics.delete_group(&request.get_ref().group_id))
            .await;
        refused(deleted, |deleted, error| DeleteConsumerGroupResponse {
            success: deleted.is_some(),
            error,
        })
    }

    async fn get_partition_offsets(
        &self,
        request: Request<GetPartitionOffsetsRequest>,
    ) -> Result<Response<GetPartitionOffsetsResponse>, Status> {
        let named = &request.get_ref().topic;
        access::see_topic(&grpc_caller(&request), named).map_err(denied)?;
        let GetPartitionOffsetsRequest { topic, partition } = request.into_inner();
        let offsets = self.topics.offsets(&topic, partition.into()).await;
        refused(offsets, |offsets, error| {
            let (beginning, end) =
                offsets.map_or((0, 0), |offsets| (offsets.beginning, offsets.end));
            GetPartitionOffsetsResponse {
                topic,
                partition,
                beginning_offset: convert::long(beginning),
                end_offset: convert::long(end),
                error,
            }
        })
    }

    async fn health_check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = if self.writable.is_serving() {
            "healthy"
        } else {
            "unhealthy"
        };
        Ok(Response::new(HealthCheckResponse {
            status: status.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: convert::long(self.started.elapsed().as_secs()),
        }))
    }
}
