//! A server on a directory of its own, and a client of its topics.

use std::time::Duration;

use api::takhin::takhin_service_client::TakhinServiceClient;
use api::takhin::{
    CommitOffsetRequest, ConsumeMessagesRequest, ConsumeMessagesResponse, CreateTopicRequest,
    DescribeConsumerGroupRequest, DescribeConsumerGroupResponse, GetPartitionOffsetsRequest,
    ProduceMessageRequest, ProduceMessageResponse, Record, TopicPartitionOffset,
};
use tempfile::TempDir;
use testkit::process::Service;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::support::channel;
pub(crate) use crate::support::serve;

/// Longest wait for what is sure to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What keeps the topics of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Files,
    /// With its brokers.
    #[cfg_attr(
        not(feature = "kafka"),
        expect(dead_code, reason = "needs the feature")
    )]
    Kafka(String),
}

impl Backend {
    pub(crate) fn is_kafka(&self) -> bool {
        *self != Self::Files
    }

    /// The offset in the answer to a record: with acks 0 Kafka does not say.
    pub(crate) fn answered(&self, acks: i32, offset: i64) -> i64 {
        if self.is_kafka() && acks == 0 {
            -1
        } else {
            offset
        }
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        match self {
            Self::Files => Vec::new(),
            Self::Kafka(brokers) => vec![("TOPICS_BACKEND", "kafka"), ("KAFKA_BROKERS", brokers)],
        }
    }
}

pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
    pub(crate) service: Service,
}

impl Fixture {
    pub(crate) fn start() -> Self {
        Self::on(&Backend::Files)
    }

    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::on_with(&Backend::Files, settings)
    }

    pub(crate) fn on(backend: &Backend) -> Self {
        Self::on_with(backend, &[])
    }

    pub(crate) fn on_with(backend: &Backend, settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = [backend.settings(), settings.to_vec()].concat();
        let service = serve(folder.path(), &settings);
        Self { folder, service }
    }

    /// Starts the service again, over what it stored.
    pub(crate) fn serve_again(&mut self, backend: &Backend) {
        self.service = serve(self.folder.path(), &backend.settings());
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.service).await
    }
}

#[derive(Clone)]
pub(crate) struct Client(pub(crate) TakhinServiceClient<Channel>);

impl Client {
    pub(crate) async fn connect(service: &Service) -> Self {
        let client = TakhinServiceClient::new(channel(service).await);
        Self(client.max_decoding_message_size(usize::MAX))
    }

    pub(crate) async fn create(&self, name: &str, partitions: i32) {
        self.create_with(name, partitions, &[]).await;
    }

    pub(crate) async fn create_with(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let request = CreateTopicRequest {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            configs: configs.collect(),
        };
        let made = self
            .0
            .clone()
            .create_topic(request)
            .await
            .unwrap()
            .into_inner();
        assert!(made.success, "{}", made.error);
    }

    pub(crate) async fn produce(
        &self,
        request: ProduceMessageRequest,
    ) -> Result<ProduceMessageResponse, Status> {
        Ok(self.0.clone().produce_message(request).await?.into_inner())
    }

    /// Produces and gives the offset.
    pub(crate) async fn put(&self, topic: &str, partition: i32, value: &str) -> i64 {
        let produced = self
            .produce(message(topic, partition, value))
            .await
            .unwrap();
        assert_eq!(produced.error, "");
        produced.offset
    }

    pub(crate) async fn consume(
        &self,
        request: ConsumeMessagesRequest,
    ) -> Result<Streaming<ConsumeMessagesResponse>, Status> {
        Ok(self.0.clone().consume_messages(request).await?.into_inner())
    }

    /// The next `count` records of one partition.
    pub(crate) async fn read(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        count: usize,
    ) -> Vec<Record> {
        let mut stream = self.consume(from(topic, partition, offset)).await.unwrap();
        next(&mut stream, count).await
    }

    /// Joins a group.
    pub(crate) async fn join(
        &self,
        group: &str,
        client: &str,
        request: ConsumeMessagesRequest,
    ) -> Result<Streaming<ConsumeMessagesResponse>, Status> {
        let mut request = Request::new(request);
        let metadata = request.metadata_mut();
        metadata.insert("group-id", MetadataValue::try_from(group).unwrap());
        metadata.insert("client-id", MetadataValue::try_from(client).unwrap());
        Ok(self.0.clone().consume_messages(request).await?.into_inner())
    }

    pub(crate) async fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> String {
        let request = CommitOffsetRequest {
            group_id: group.to_owned(),
            offsets: vec![TopicPartitionOffset {
                topic: topic.to_owned(),
                partition,
                offset,
            }],
        };
        let committed = self
            .0
            .clone()
            .commit_offset(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(committed.success, committed.error.is_empty());
        committed.error
    }

    pub(crate) async fn describe(&self, group: &str) -> DescribeConsumerGroupResponse {
        let group_id = group.to_owned();
        let request = DescribeConsumerGroupRequest { group_id };
        self.0
            .clone()
            .describe_consumer_group(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// First and next offset.
    pub(crate) async fn offsets(&self, topic: &str, partition: i32) -> (i64, i64) {
        let topic = topic.to_owned();
        let request = GetPartitionOffsetsRequest { topic, partition };
        let offsets = self
            .0
            .clone()
            .get_partition_offsets(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(offsets.error, "");
        (offsets.beginning_offset, offsets.end_offset)
    }
}

pub(crate) fn message(topic: &str, partition: i32, value: &str) -> ProduceMessageRequest {
    ProduceMessageRequest {
        topic: topic.to_owned(),
        partition,
        record: Some(Record {
            value: value.to_owned().into(),
            ..Record::default()
        }),
        required_acks: 1,
        timeout_ms: 0,
    }
}

pub(crate) fn from(topic: &str, partition: i32, offset: i64) -> ConsumeMessagesRequest {
    ConsumeMessagesRequest {
        topic: topic.to_owned(),
        partition,
        offset,
        ..ConsumeMessagesRequest::default()
    }
}

/// The next `count` records or a few more, of whatever partitions.
pub(crate) async fn next(
    stream: &mut Streaming<ConsumeMessagesResponse>,
    count: usize,
) -> Vec<Record> {
    let mut records = Vec::new();
    while records.len() < count {
        let response = tokio::time::timeout(PATIENCE, stream.message()).await;
        let response = response.unwrap_or_else(|_| panic!("only {} records", records.len()));
        records.extend(response.unwrap().expect("the stream goes on").records);
    }
    records
}

pub(crate) fn values(records: &[Record]) -> Vec<&str> {
    let values = records
        .iter()
        .map(|record| std::str::from_utf8(&record.value).unwrap());
    values.collect()
}

/// Waits until `is_so` gives something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    mut is_so: impl FnMut() -> F,
) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(found) = is_so().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "never so");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
