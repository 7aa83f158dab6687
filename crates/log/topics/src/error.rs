//! What can go wrong with topics.

use std::io;

use domain::{Invalid, Kind};

use group_commit::{AppendError, is_out_of_room};

use super::reader::ReadError;

/// Why something was not done. `Display` is what the client may see, on both faces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicsError {
    /// What was asked for breaks the contract.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// There is no topic of this name.
    #[error("no such topic: {0}")]
    NoSuchTopic(String),
    /// The topic has fewer partitions.
    #[error("no such partition: {partition} of topic {topic}, which has {partitions}")]
    NoSuchPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: i64,
        /// Number of partitions of the topic.
        partitions: u32,
    },
    /// There is a topic of this name.
    #[error("topic {0} exists already")]
    TopicExists(String),
    /// There is no group of this name.
    #[error("no such consumer group: {0}")]
    NoSuchGroup(String),
    /// Only a group without members can be deleted.
    #[error("consumer group {group} has members: {members}")]
    GroupHasMembers {
        /// The group.
        group: String,
        /// Number of members.
        members: usize,
    },
    /// No record has this offset.
    #[error("partition {partition} of topic {topic}: {problem}")]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset asked for, and the offsets that exist.
        problem: String,
    },
    /// Key, value and headers are too large.
    #[error("the record has {bytes} bytes of key, value and headers, more than {most}")]
    RecordTooLarge {
        /// The size of the record, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// What is stored is damaged.
    #[error("partition {partition} of topic {topic} is damaged at offset {offset}")]
    Damaged {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The first offset that cannot be read.
        offset: u64,
    },
    /// The topic's description is damaged.
    #[error("topic {0} is set aside: its files are damaged")]
    TopicAside(String),
    /// A partition's files cannot be read.
    #[error("partition {partition} of topic {topic} is set aside: its files cannot be read")]
    PartitionAside {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
    },
    /// The file of committed offsets cannot be read.
    #[error("consumer groups are set aside: the file of their offsets cannot be read")]
    GroupsAside,
    /// Too much waits to be written.
    #[error("too many records are waiting to be written: retry later")]
    Busy,
    /// `timeout_ms` passed.
    #[error("not on the disk in time; the record may be stored all the same")]
    Timeout,
    /// `timeout_ms` passed without an answer from Kafka's brokers.
    #[error("Kafka did not acknowledge in time; the record may be stored all the same")]
    NotAcknowledged,
    /// No broker answered in time, or too few replicas are in sync.
    #[error("Kafka cannot do this now: {0}; retry later")]
    Kafka(&'static str),
    /// The group's members read through another process, which alone can commit for them.
    #[error(
        "consumer group {0} has members that read elsewhere: commit through the process that they read from"
    )]
    MembersElsewhere(String),
    /// The disk or a quota is full.
    #[error("there is no room on the disk: retry later")]
    NoRoom,
    /// A write or a sync of the partition failed.
    #[error("the partition takes no more records, since a write failed")]
    Poisoned,
    /// The service stops.
    #[error("shutting down")]
    ShuttingDown,
    /// A fault of the service; the log has the details.
    #[error("internal error")]
    Internal,
}

impl TopicsError {
    /// The kind of the error, for the answer that a face gives.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Invalid(invalid) => invalid.kind(),
            Self::NoSuchTopic(_) | Self::NoSuchPartition { .. } | Self::NoSuchGroup(_) => {
                Kind::NotFound
            }
            Self::TopicExists(_) | Self::GroupHasMembers { .. } | Self::MembersElsewhere(_) => {
                Kind::Conflict
            }
            Self::OutOfRange { .. } => Kind::OutOfRange,
            Self::RecordTooLarge { .. } => Kind::TooLarge,
            Self::Damaged { .. }
            | Self::TopicAside(_)
            | Self::PartitionAside { .. }
            | Self::GroupsAside => Kind::DataLoss,
            Self::Busy => Kind::ResourceExhausted,
            Self::Timeout
            | Self::NotAcknowledged
            | Self::Kafka(_)
            | Self::ShuttingDown
            | Self::NoRoom => Kind::Unavailable,
            Self::Poisoned | Self::Internal => Kind::Internal,
        }
    }

    /// Whether the caller did something wrong, which responses with a field `error` say there.
    #[must_use]
    pub fn is_callers(&self) -> bool {
        matches!(
            self.kind(),
            Kind::InvalidArgument | Kind::NotFound | Kind::Conflict
        )
    }

    /// What the operating system refused, logged here and nowhere else.
    pub(crate) fn internal(what: &str, error: &io::Error) -> Self {
        if is_out_of_room(error) {
            return Self::NoRoom;
        }
        tracing::error!(%error, "{what}");
        Self::Internal
    }

    /// Why an append to a partition was not done.
    pub(crate) fn append(error: &AppendError, topic: &str, deleted: bool) -> Self {
        match error {
            _ if deleted => Self::NoSuchTopic(topic.to_owned()),
            AppendError::Full => Self::Busy,
            AppendError::NoRoom => Self::NoRoom,
            AppendError::Poisoned(_) => Self::Poisoned,
        }
    }

    /// Why nothing was read; logged if an operator must know.
    pub(crate) fn read(error: &ReadError, topic: &str, partition: u32) -> Self {
        match error {
            ReadError::Deleted => Self::NoSuchTopic(topic.to_owned()),
            ReadError::Beyond { .. } | ReadError::Removed { .. } => Self::OutOfRange {
                topic: topic.to_owned(),
                partition,
                problem: error.to_string(),
            },
            ReadError::Damaged { file, offset } => {
                tracing::error!(topic, partition, file = %file.display(), offset, "damaged: no record where one should be");
                Self::Damaged {
                    topic: topic.to_owned(),
                    partition,
                    offset: *offset,
                }
            }
            ReadError::Io { file, source } => {
                tracing::error!(topic, partition, file = %file.display(), error = %source, "a segment cannot be read");
                Self::Internal
            }
        }
    }
}
