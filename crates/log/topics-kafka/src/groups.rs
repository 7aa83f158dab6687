//! Who reads what, and how far: groups are Kafka's, and each member stream is a member of one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Invalid;
use krafka::admin::{
    AlterConsumerGroupOffsetsOptions, ConsumerGroupDescription, ConsumerGroupListing,
    DeleteConsumerGroupsOptions, DescribeConsumerGroupsOptions, GroupType,
    ListConsumerGroupOffsetsOptions, ListConsumerGroupsOptions, TopicPartition,
};
use krafka::consumer::{AutoOffsetReset, Consumer, GroupProtocol, OffsetAndMetadata};
use krafka::error::ErrorCode;
use topics::{GroupInfo, GroupState, Identity, MemberInfo, Pace, Start, TopicsError, name};

use super::administration::key;
use super::catalog::{FOR_READERS, in_range};
use super::consume::{Reader, Reads, common};
use super::failure;
use super::shared::KafkaTopics;

/// Contiguous ranges of partitions to the members, as our files assign them.
const ASSIGNOR: &str = "range";
/// A member that has just come cannot commit until Kafka knows it.
const RETRY_EVERY: Duration = Duration::from_millis(50);

impl KafkaTopics {
    pub(crate) async fn read_in_group(
        &self,
        group: &str,
        identity: &Identity,
        topic: &str,
        start: Start,
        pace: Pace,
    ) -> Result<Reader, TopicsError> {
        name::group(group, "group-id")?;
        let partitions = self.partitions(topic, FOR_READERS).await?;
        let settings = &self.0.settings;
        let client_id = match identity.client_id.as_str() {
            "" => &settings.client_id,
            named => named,
        };
        // Connections of its own, by which Kafka knows a member's name.
        let kafka = kafka_client::connect(&settings.kafka, client_id, self.0.timing).await;
        let kafka = kafka.map_err(|error| {
            tracing::debug!(error = format!("{error:#}"), "a member cannot connect");
            failure::no_answer()
        })?;
        let builder = common(kafka.consumer(group))
            .group_protocol(GroupProtocol::Consumer)
            .group_remote_assignor(ASSIGNOR);
        let builder = match start {
            Start::Earliest => builder.auto_offset_reset(AutoOffsetReset::Earliest),
            Start::Latest => builder.auto_offset_reset(AutoOffsetReset::Latest),
            Start::Offset(offset) => {
                let offset = i64::try_from(offset).unwrap_or(i64::MAX);
                builder
                    .auto_offset_reset(AutoOffsetReset::None)
                    .initial_offsets((0..partitions).map(|number| (key(topic, number), offset)))
            }
        };
        let consumer = builder.build().await;
        let consumer = consumer.map_err(|error| failure::of_group(&error, group))?;
        let reads = Reads {
            consumer: Arc::new(consumer),
            topics: self.clone(),
        };
        let subscribed = reads.consumer.subscribe([topic]).await;
        subscribed.map_err(|error| failure::of_topic(&error, topic))?;
        self.0.local.add(group, &reads.consumer);
        Ok(Reader::new(reads, topic, pace, true))
    }

    pub(crate) async fn commit_offsets(
        &self,
        group: &str,
        offsets: Vec<(String, i64, i64)>,
    ) -> Result<(), TopicsError> {
        name::group(group, "groupId")?;
        let mut checked = Vec::with_capacity(offsets.len());
        for (at, (topic, partition, offset)) in offsets.into_iter().enumerate() {
            let partitions = self.partitions(&topic, FOR_READERS).await?;
            let number = in_range(&topic, partition, partitions)?;
            if offset < 0 {
                let path = format!("offsets[{at}].offset");
                return Err(Invalid::new(path, "must not be negative").into());
            }
            checked.push((key(&topic, number), offset));
        }
        if checked.is_empty() {
            return Ok(());
        }
        loop {
            let members = self.0.local.of(group);
            let committed = match members.is_empty() {
                true => self.commit_from_outside(group, &checked).await,
                false => commit_as_member(group, &members, &checked).await,
            };
            match committed {
                // One of ours has just come or goes.
                Err(TopicsError::MembersElsewhere(_)) if !members.is_empty() => {
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                committed => return committed,
            }
        }
    }

    /// For a group without members.
    async fn commit_from_outside(
        &self,
        group: &str,
        offsets: &[(TopicPartition, i64)],
    ) -> Result<(), TopicsError> {
        let altered = self
            .0
            .admin
            .alter_consumer_group_offsets(
                group,
                offsets.to_vec(),
                AlterConsumerGroupOffsetsOptions::default(),
            )
            .await;
        let altered = altered.map_err(|error| failure::of_group(&error, group))?;
        for outcome in altered.into_values() {
            outcome.map_err(|error| failure::of_group(&error, group))?;
        }
        Ok(())
    }

    pub(crate) async fn list_groups(&self) -> Result<Vec<GroupInfo>, TopicsError> {
        let listed = self
            .0
            .admin
            .list_consumer_groups(ListConsumerGroupsOptions::default())
            .await
            .map_err(|error| failure::general(&error))?;
        let mut ids = Vec::new();
        for of_broker in listed.into_values() {
            let of_broker = of_broker.map_err(|error| failure::general(&error))?;
            let consumers = of_broker.into_iter().filter(is_of_consumers);
            ids.extend(consumers.map(|group| group.group_id));
        }
        ids.sort_unstable();
        let described = self.describe(&ids).await?;
        let mut groups = Vec::with_capacity(described.len());
        for (id, description) in described {
            match self.with_offsets(&id, description).await {
                // It went meanwhile, or Kafka remembers nothing but its name.
                Err(TopicsError::NoSuchGroup(_)) => {}
                group => groups.push(group?),
            }
        }
        Ok(groups)
    }

    pub(crate) async fn describe_group(&self, id: &str) -> Result<GroupInfo, TopicsError> {
        name::group(id, "groupId")?;
        let mut described = self.describe(&[id.to_owned()]).await?;
        let description = described.remove(id);
        let description =
            description.unwrap_or_else(|| Err(TopicsError::NoSuchGroup(id.to_owned())));
        self.with_offsets(id, description).await
    }

    pub(crate) async fn remove_group(&self, id: &str) -> Result<(), TopicsError> {
        let group = self.describe_group(id).await?;
        let refused = TopicsError::GroupHasMembers {
            group: id.to_owned(),
            members: group.members.len(),
        };
        if !group.members.is_empty() {
            return Err(refused);
        }
        let deleted = self
            .0
            .admin
            .delete_consumer_groups([id], DeleteConsumerGroupsOptions::default())
            .await;
        let deleted = deleted.and_then(|mut groups| {
            let outcome = groups.remove(id);
            outcome.unwrap_or(Ok(()))
        });
        match deleted {
            Err(krafka::KrafkaError::Broker {
                code: ErrorCode::NonEmptyGroup,
                ..
            }) => Err(refused),
            deleted => deleted.map_err(|error| failure::of_group(&error, id)),
        }
    }

    async fn describe(
        &self,
        ids: &[String],
    ) -> Result<BTreeMap<String, Result<ConsumerGroupDescription, TopicsError>>, TopicsError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let options = DescribeConsumerGroupsOptions::default();
        let described = self.0.admin.describe_consumer_groups(ids, options).await;
        let described = described.map_err(|error| failure::general(&error))?;
        let described = described.into_iter().map(|(id, description)| {
            let description = description.map_err(|error| failure::of_group(&error, &id));
            (id, description)
        });
        Ok(described.collect())
    }

    /// A group exists while it has members or offsets; Kafka keeps the names of others for a while.
    async fn with_offsets(
        &self,
        id: &str,
        description: Result<ConsumerGroupDescription, TopicsError>,
    ) -> Result<GroupInfo, TopicsError> {
        let description = description?;
        let options = ListConsumerGroupOffsetsOptions::default();
        let listed = self.0.admin.list_consumer_group_offsets(id, options).await;
        let mut offsets = BTreeMap::new();
        for (place, committed) in listed.map_err(|error| failure::of_group(&error, id))? {
            let committed = committed.map_err(|error| failure::of_group(&error, id))?;
            let Some(offset) = committed.offset else {
                continue;
            };
            let partition = u32::try_from(place.partition).unwrap_or_default();
            offsets.insert(
                (place.topic.clone(), partition),
                u64::try_from(offset).unwrap_or_default(),
            );
        }
        if description.members.is_empty() && offsets.is_empty() {
            return Err(TopicsError::NoSuchGroup(id.to_owned()));
        }
        Ok(GroupInfo {
            id: id.to_owned(),
            state: state(&description),
            members: description.members.into_iter().map(member).collect(),
            offsets,
        })
    }
}

/// Each offset through the member that reads the partition, else through any.
async fn commit_as_member(
    group: &str,
    members: &[Arc<Consumer>],
    offsets: &[(TopicPartition, i64)],
) -> Result<(), TopicsError> {
    let mut assignments = Vec::with_capacity(members.len());
    for member in members {
        assignments.push(member.assignment().await);
    }
    let mut by_member: BTreeMap<usize, Vec<(TopicPartition, OffsetAndMetadata)>> = BTreeMap::new();
    for (place, offset) in offsets {
        let owner = assignments.iter().position(|assigned| {
            let partitions = assigned.get(&place.topic);
            partitions.is_some_and(|partitions| partitions.contains(&place.partition))
        });
        let offset = OffsetAndMetadata::new(*offset);
        let of_member = by_member.entry(owner.unwrap_or(0)).or_default();
        of_member.push((place.clone(), offset));
    }
    for (member, offsets) in by_member {
        let committed = members[member].commit_offsets(offsets).await;
        committed.map_err(|error| match error {
            // It has not joined yet, or has left.
            krafka::KrafkaError::IllegalState { .. } | krafka::KrafkaError::Closed { .. } => {
                TopicsError::MembersElsewhere(group.to_owned())
            }
            error => failure::of_group(&error, group),
        })?;
    }
    Ok(())
}

/// Groups of other kinds (Connect, Streams, share groups) are none of ours.
fn is_of_consumers(group: &ConsumerGroupListing) -> bool {
    let is_classic = matches!(group.protocol_type.as_str(), "" | "consumer");
    match &group.group_type {
        None | Some(GroupType::Classic) => is_classic,
        Some(GroupType::Consumer) => true,
        Some(_) => false,
    }
}

/// Of Kafka's states, those that our contract has.
fn state(group: &ConsumerGroupDescription) -> GroupState {
    match group.state.as_str() {
        "Stable" => GroupState::Stable,
        "Empty" | "Dead" => GroupState::Empty,
        _ => GroupState::PreparingRebalance,
    }
}

fn member(member: krafka::admin::ConsumerGroupMember) -> MemberInfo {
    let subscribed = member.subscribed_topic_names.into_iter().flatten();
    let mut assignments: BTreeMap<String, Vec<u32>> =
        subscribed.map(|topic| (topic, Vec::new())).collect();
    for assigned in member.assignment.into_iter().flatten() {
        let numbers = assigned.partitions.into_iter();
        let mut numbers: Vec<u32> = numbers.filter_map(|one| u32::try_from(one).ok()).collect();
        numbers.sort_unstable();
        assignments.insert(assigned.topic_name, numbers);
    }
    MemberInfo {
        id: member.member_id,
        identity: Identity {
            client_id: member.client_id,
            client_host: member.client_host.trim_start_matches('/').to_owned(),
        },
        assignments,
    }
}
