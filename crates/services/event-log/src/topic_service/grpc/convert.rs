//! Messages to what [`TopicLog`](topics::TopicLog) takes, and back. Pure.

use std::time::Duration;

use api::takhin::{
    ConsumeMessagesResponse, ConsumerGroupInfo, ConsumerGroupMember, DescribeConsumerGroupResponse,
    PartitionInfo, ProduceMessageResponse, Record, RecordHeader, TopicInfo, TopicPartitionOffset,
};
use domain::Invalid;
use tonic::{Response, Status};
use topics::{Acks, Delivery, GroupInfo, Header, NewRecord, Produced, StoredRecord, TopicsError};

use crate::topic_service::failure::status;

/// The offset in an answer without one.
const NO_OFFSET: i64 = -1;

/// The response to `outcome`: what the caller did wrong stands in its field `error`, anything else is a status.
pub(super) fn refused<T, R>(
    outcome: Result<T, TopicsError>,
    response: impl FnOnce(Option<T>, String) -> R,
) -> Result<Response<R>, Status> {
    match outcome {
        Ok(done) => Ok(Response::new(response(Some(done), String::new()))),
        Err(error) if error.is_callers() => Ok(Response::new(response(None, error.to_string()))),
        Err(error) => Err(status(error)),
    }
}

/// acks 0, 1 and -1.
pub(super) fn acks(required_acks: i32) -> Result<Acks, Invalid> {
    match required_acks {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        -1 => Ok(Acks::All),
        _ => Err(Invalid::new("requiredAcks", "must be 0, 1 or -1")),
    }
}

/// `None` for 0.
pub(super) fn wait(timeout_ms: i32) -> Result<Option<Duration>, Invalid> {
    let wait = u64::try_from(timeout_ms).map(Duration::from_millis);
    let wait = wait.map_err(|_| Invalid::new("timeoutMs", "must not be negative"))?;
    Ok(Some(wait).filter(|wait| !wait.is_zero()))
}

pub(super) fn record(record: Option<Record>) -> Result<NewRecord, Invalid> {
    let record = record.ok_or_else(|| Invalid::new("record", "is missing"))?;
    let headers = record.headers.into_iter().map(|header| Header {
        key: header.key,
        value: header.value,
    });
    Ok(NewRecord {
        key: record.key,
        value: record.value,
        headers: headers.collect(),
        timestamp: record.timestamp,
    })
}

/// The answer to one record; where it was refused, with the partition that was asked for.
pub(super) fn produced(
    topic: String,
    asked: i32,
    produced: Option<Produced>,
    error: String,
) -> ProduceMessageResponse {
    let place = produced.map(|produced| {
        let partition = number(produced.partition);
        let offset = produced.offset.map_or(NO_OFFSET, long);
        (partition, offset, produced.timestamp)
    });
    let (partition, offset, timestamp) = place.unwrap_or((asked, NO_OFFSET, 0));
    ProduceMessageResponse {
        topic,
        partition,
        offset,
        timestamp,
        error,
    }
}

pub(super) fn delivery(topic: &str, delivery: Delivery) -> ConsumeMessagesResponse {
    let partition = number(delivery.partition);
    let records = delivery.records.into_iter();
    ConsumeMessagesResponse {
        topic: topic.to_owned(),
        partition,
        high_watermark: long(delivery.high_watermark),
        records: records.map(|record| stored(record, partition)).collect(),
        error: String::new(),
    }
}

fn stored(record: StoredRecord, partition: i32) -> Record {
    let headers = record.headers.into_iter().map(|header| RecordHeader {
        key: header.key,
        value: header.value,
    });
    Record {
        key: record.key,
        value: record.value,
        headers: headers.collect(),
        timestamp: record.timestamp,
        offset: long(record.offset),
        partition,
    }
}

pub(super) fn topic(topic: topics::TopicInfo) -> TopicInfo {
    let replication_factor = i32::try_from(topic.replication_factor()).unwrap_or(i32::MAX);
    let num_partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let partitions = topic.partitions.into_iter().zip(0..);
    let partitions = partitions.map(|(partition, partition_id)| {
        let info = PartitionInfo {
            partition_id,
            beginning_offset: long(partition.offsets.beginning),
            end_offset: long(partition.offsets.end),
            leader: partition.leader,
            replicas: partition.replicas,
            isr: partition.isr,
        };
        (partition_id, info)
    });
    TopicInfo {
        name: topic.name,
        num_partitions,
        replication_factor,
        partitions: partitions.collect(),
    }
}

pub(super) fn group_summary(group: GroupInfo) -> ConsumerGroupInfo {
    ConsumerGroupInfo {
        state: group.state.name().to_owned(),
        protocol_type: GroupInfo::PROTOCOL.to_owned(),
        member_count: i32::try_from(group.members.len()).unwrap_or(i32::MAX),
        group_id: group.id,
    }
}

pub(super) fn group(
    id: String,
    group: Option<GroupInfo>,
    error: String,
) -> DescribeConsumerGroupResponse {
    let Some(group) = group else {
        return DescribeConsumerGroupResponse {
            group_id: id,
            error,
            ..Default::default()
        };
    };
    let members = group.members.iter().map(|member| {
        let assignments = member.partitions().map(|(topic, partition)| {
            let committed = group.committed(topic, partition);
            TopicPartitionOffset {
                topic: topic.to_owned(),
                partition: number(partition),
                offset: committed.map_or(NO_OFFSET, long),
            }
        });
        ConsumerGroupMember {
            member_id: member.id.clone(),
            client_id: member.identity.client_id.clone(),
            client_host: member.identity.client_host.clone(),
            assignments: assignments.collect(),
        }
    });
    DescribeConsumerGroupResponse {
        members: members.collect(),
        state: group.state.name().to_owned(),
        protocol_type: GroupInfo::PROTOCOL.to_owned(),
        group_id: id,
        error,
    }
}

fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Offsets and seconds stay far below the limit.
pub(super) fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
