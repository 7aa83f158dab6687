//! A member of a consumer group, on a connection of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use api::takhin::takhin_service_client::TakhinServiceClient;
use api::takhin::{
    CommitOffsetRequest, ConsumeMessagesRequest, ConsumeMessagesResponse,
    DescribeConsumerGroupRequest, TopicPartitionOffset,
};
use service_client::ClientChannel;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status, Streaming};

use super::shared::Shared;
use super::writer::number_of_key;
use crate::grpc::GrpcStore;
use crate::plan::LogPlan;

/// Between two commits of what was received: what a member that is cut off leaves for others to read again.
const COMMIT_EVERY: Duration = Duration::from_millis(100);
/// Between two looks at the group while it forms.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The earliest record.
const EARLIEST: i64 = -1;
/// What the group assigns.
const ASSIGNED: i32 = -1;

pub(super) struct Member {
    number: usize,
    topic: String,
    client: TakhinServiceClient<ClientChannel>,
    /// The stream; a server may begin its answer only with the first records.
    joining: AbortOnDropHandle<Result<Response<Streaming<ConsumeMessagesResponse>>, Status>>,
    /// The next offset of each partition since the last commit.
    read: BTreeMap<i32, i64>,
}

/// Waits until the group has all its members and is stable, for `limit` at most.
pub(super) async fn all_assigned(
    plan: &LogPlan,
    store: &GrpcStore,
    limit: Duration,
) -> anyhow::Result<()> {
    let mut client = TakhinServiceClient::new(store.channel()?);
    let mut looks = interval(LOOK_EVERY);
    let until = Instant::now() + limit;
    loop {
        let now = looks.tick().await;
        let request = DescribeConsumerGroupRequest {
            group_id: plan.name(),
        };
        let group = client.describe_consumer_group(request).await?.into_inner();
        if group.state == "Stable" && group.members.len() == plan.concurrency {
            return Ok(());
        }
        anyhow::ensure!(
            now < until,
            "after {limit:?} the group has {} of {} members and is in state '{}' {}: a longer --timeout waits longer",
            group.members.len(),
            plan.concurrency,
            group.state,
            group.error,
        );
    }
}

impl Member {
    /// Begins to join the group.
    pub(super) fn open(plan: &LogPlan, store: &GrpcStore, number: usize) -> anyhow::Result<Self> {
        let client = TakhinServiceClient::new(store.channel()?);
        let mut request = Request::new(ConsumeMessagesRequest {
            topic: plan.name(),
            partition: ASSIGNED,
            offset: EARLIEST,
            ..ConsumeMessagesRequest::default()
        });
        let metadata = request.metadata_mut();
        metadata.insert("group-id", plan.name().parse()?);
        metadata.insert("client-id", format!("member-{number}").parse()?);
        let mut joining = client.clone();
        let joining = tokio::spawn(async move { joining.consume_messages(request).await });
        Ok(Self {
            number,
            topic: plan.name(),
            joining: AbortOnDropHandle::new(joining),
            client,
            read: BTreeMap::new(),
        })
    }

    /// Receives and commits until `ending` is cancelled; then the connection is closed without a word.
    pub(super) async fn run(
        mut self,
        shared: &Shared,
        ending: &CancellationToken,
    ) -> Result<(), String> {
        let joined = tokio::select! {
            biased;
            () = ending.cancelled() => return Ok(()),
            joined = &mut self.joining => joined.map_err(|error| error.to_string())?,
        };
        let joined = joined.map_err(|status| format!("consume: grpc {:?}", status.code()))?;
        let mut records = joined.into_inner();
        let mut commits = interval_at(Instant::now() + COMMIT_EVERY, COMMIT_EVERY);
        commits.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = ending.cancelled() => return Ok(()),
                _ = commits.tick() => self.commit().await?,
                message = records.message() => match message {
                    Ok(Some(message)) => self.take(&message, shared)?,
                    Ok(None) => return Err("the stream of a member ended".into()),
                    Err(status) => return Err(format!("consume: grpc {:?}", status.code())),
                },
            }
        }
    }

    fn take(&mut self, message: &ConsumeMessagesResponse, shared: &Shared) -> Result<(), String> {
        if !message.error.is_empty() {
            return Err(format!("consume: {}", message.error));
        }
        for record in &message.records {
            let number = number_of_key(&record.key).ok_or("a record that nobody wrote")?;
            if let Some(receipt) = shared
                .ledger
                .received(number, message.partition, self.number)
            {
                shared.received(receipt);
            }
            self.read.insert(message.partition, record.offset + 1);
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), String> {
        if self.read.is_empty() {
            return Ok(());
        }
        let read = std::mem::take(&mut self.read);
        let offsets = read
            .into_iter()
            .map(|(partition, offset)| TopicPartitionOffset {
                topic: self.topic.clone(),
                partition,
                offset,
            });
        let request = CommitOffsetRequest {
            group_id: self.topic.clone(),
            offsets: offsets.collect(),
        };
        let committed = self.client.commit_offset(request).await;
        let committed = committed.map_err(|status| format!("commit: grpc {:?}", status.code()))?;
        match committed.into_inner().error {
            error if error.is_empty() => Ok(()),
            error => Err(format!("commit: {error}")),
        }
    }
}
