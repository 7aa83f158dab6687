//! Topics with consumer groups: append-only partitions, stored as segments.
//!
//! How a record travels, in reading order:
//!
//! - [`TopicLog`] ([`backend`]): what the faces need; `on_files`: this crate as one
//! - [`Topics`] ([`handle`]): the cheap `Clone` handle; [`produce`]: what it does for producers; [`Options`] ([`options`])
//! - `catalog`, `topic`: which topics there are; `name`, [`settings`]: what they may be
//! - `partitioner`: which partition a record goes to (pure)
//! - `appender`: the one writer of a partition, behind [`group_commit`]
//! - [`record`]: a record and its form on disk (pure)
//! - `log`: a partition's segments; `index`: where in a segment an offset is; `files`: the open ones, a bounded number
//! - `reader`, `scan`: back from the disk; [`consumer`]: on and on; [`pace`]: how much at once
//! - [`groups`]: who reads what (`assignment`, pure); `offsets`: how far
//! - `recovery`: what is done when a partition is opened; `maintenance`: what is done all the time
//! - `remains`: which files are a topic's; [`counters`], [`error`]

mod appender;
mod assignment;
pub mod backend;
mod catalog;
pub mod consumer;
pub mod counters;
pub mod error;
mod files;
pub mod groups;
pub mod handle;
mod index;
mod log;
mod maintenance;
pub mod name;
mod offsets;
mod on_files;
pub mod options;
pub mod pace;
pub mod partitioner;
pub mod produce;
mod reader;
pub mod record;
mod recovery;
mod remains;
mod scan;
pub mod settings;
#[cfg(test)]
mod tests;
mod topic;

pub use backend::{
    Acks, Deliveries, Outcomes, PartitionInfo, PartitionOffsets, TopicDraft, TopicInfo, TopicLog,
};
pub use consumer::{Consumer, Delivery};
pub use counters::Counters;
pub use error::TopicsError;
pub use groups::{GroupInfo, GroupState, Identity, MemberInfo};
pub use handle::Topics;
pub use options::Options;
pub use pace::{Pace, Start};
pub use partitioner::Partitioner;
pub use produce::{Destination, Submitted};
pub use record::{Header, MAX_RECORD_BYTES, NewRecord, Produced, StoredRecord};
