//! What the client's errors are to callers.

use domain::Invalid;
use krafka::KrafkaError;
use krafka::error::ErrorCode;
use topics::TopicsError;

const NO_ANSWER: &str = "no broker answers";
const NOT_IN_SYNC: &str = "too few replicas are in sync";
const MOVING: &str = "a partition or a group is moving to another broker";
const NOT_ALLOWED: &str = "this service lacks a right in Kafka";

/// What a call that names `topic` is told. What an operator must know is logged here and nowhere else.
pub(crate) fn of_topic(error: &KrafkaError, topic: &str) -> TopicsError {
    match error {
        KrafkaError::UnknownTopic { .. } => TopicsError::NoSuchTopic(topic.to_owned()),
        KrafkaError::Broker { code, message } => match code {
            ErrorCode::UnknownTopicOrPartition | ErrorCode::InvalidTopic => {
                TopicsError::NoSuchTopic(topic.to_owned())
            }
            ErrorCode::TopicAlreadyExists => TopicsError::TopicExists(topic.to_owned()),
            ErrorCode::InvalidConfig => refused("configs", message),
            ErrorCode::InvalidPartitions => refused("numPartitions", message),
            ErrorCode::InvalidReplicationFactor => refused("replicationFactor", message),
            ErrorCode::PolicyViolation => refused("the topic", message),
            ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge => {
                let problem = "is larger than the topic's max.message.bytes in Kafka allows";
                Invalid::new("record", problem).into()
            }
            ErrorCode::InvalidTimestamp => {
                let problem = "is farther from Kafka's clock than the topic allows";
                Invalid::new("record.timestamp", problem).into()
            }
            _ => general(error),
        },
        _ => general(error),
    }
}

/// What a call that names `group` is told.
pub(crate) fn of_group(error: &KrafkaError, group: &str) -> TopicsError {
    match error {
        KrafkaError::Broker { code, .. } => match code {
            ErrorCode::GroupIdNotFound => TopicsError::NoSuchGroup(group.to_owned()),
            ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration
            | ErrorCode::FencedMemberEpoch
            | ErrorCode::StaleMemberEpoch => TopicsError::MembersElsewhere(group.to_owned()),
            ErrorCode::InvalidGroupId => refused("groupId", "is no name of a group in Kafka"),
            _ => general(error),
        },
        _ => general(error),
    }
}

/// What any other call is told.
pub(crate) fn general(error: &KrafkaError) -> TopicsError {
    match error {
        KrafkaError::Network(_) | KrafkaError::Timeout { .. } => TopicsError::Kafka(NO_ANSWER),
        KrafkaError::DeliveryTimeout { .. } => TopicsError::NotAcknowledged,
        KrafkaError::Closed { .. } => TopicsError::ShuttingDown,
        KrafkaError::Broker { code, .. } => match code {
            ErrorCode::NotEnoughReplicas | ErrorCode::NotEnoughReplicasAfterAppend => {
                TopicsError::Kafka(NOT_IN_SYNC)
            }
            ErrorCode::TopicAuthorizationFailed
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::ClusterAuthorizationFailed => {
                tracing::error!(%error, "Kafka does not allow this to us");
                TopicsError::Kafka(NOT_ALLOWED)
            }
            _ if error.is_retriable() => TopicsError::Kafka(MOVING),
            _ => internal(error),
        },
        _ => internal(error),
    }
}

/// The answer to a call that took too long.
pub(crate) fn no_answer() -> TopicsError {
    TopicsError::Kafka(NO_ANSWER)
}

fn internal(error: &KrafkaError) -> TopicsError {
    tracing::error!(%error, "Kafka's client failed");
    TopicsError::Internal
}

fn refused(what: &'static str, message: &str) -> TopicsError {
    let problem = format!("is refused by Kafka: {message}");
    Invalid::new(what, problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Kind;

    #[test]
    fn what_the_caller_did_wrong_is_told_apart_from_what_kafka_cannot_do() {
        let broker = |code| KrafkaError::broker(code, "why");
        for (error, kind) in [
            (broker(ErrorCode::UnknownTopicOrPartition), Kind::NotFound),
            (broker(ErrorCode::TopicAlreadyExists), Kind::Conflict),
            (broker(ErrorCode::InvalidConfig), Kind::InvalidArgument),
            (broker(ErrorCode::InvalidTimestamp), Kind::InvalidArgument),
            (broker(ErrorCode::NotEnoughReplicas), Kind::Unavailable),
            (broker(ErrorCode::NotLeaderForPartition), Kind::Unavailable),
            (
                broker(ErrorCode::TopicAuthorizationFailed),
                Kind::Unavailable,
            ),
            (broker(ErrorCode::CorruptMessage), Kind::Unavailable),
            (KrafkaError::timeout("x"), Kind::Unavailable),
            (KrafkaError::delivery_timeout(true, "x"), Kind::Unavailable),
            (KrafkaError::config("x"), Kind::Internal),
        ] {
            assert_eq!(of_topic(&error, "t").kind(), kind, "{error}");
        }
        let elsewhere = of_group(&broker(ErrorCode::UnknownMemberId), "g");
        assert_eq!(elsewhere, TopicsError::MembersElsewhere("g".to_owned()));
    }
}
