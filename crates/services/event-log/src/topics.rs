//! Topics with consumer groups: append-only partitions, stored as segments.
//!
//! How a record travels, in reading order:
//!
//! - [`grpc`], [`rest`]: the two faces
//! - [`Topics`] ([`handle`]): the cheap `Clone` handle that both call
//! - `catalog`, `topic`: which topics there are; `name`, [`settings`]: what they may be
//! - `partitioner`: which partition a record goes to (pure)
//! - `appender`: the one writer of a partition, behind [`crate::group_commit`]
//! - [`record`]: a record and its form on disk (pure)
//! - `log`: a partition's segments; `index`: where in a segment an offset is; `files`: the open ones, a bounded number
//! - `reader`, `scan`: back from the disk; [`consumer`]: on and on; [`pace`]: how much at once
//! - `groups`: who reads what (`assignment`, pure); `offsets`: how far
//! - `recovery`: what is done when a partition is opened; `maintenance`: what is done all the time
//! - [`config`], [`metrics`], [`error`]

mod appender;
mod assignment;
mod catalog;
pub mod config;
pub mod consumer;
pub mod error;
mod files;
mod groups;
pub mod grpc;
pub mod handle;
mod index;
mod log;
mod maintenance;
pub mod metrics;
mod name;
mod offsets;
pub mod pace;
mod partitioner;
mod reader;
pub mod record;
mod recovery;
pub mod rest;
mod scan;
pub mod settings;
#[cfg(test)]
mod tests;
mod topic;

pub use config::TopicsConfig;
pub use consumer::{Consumer, Delivery};
pub use error::TopicsError;
pub use groups::{GroupInfo, GroupState, Identity, MemberInfo};
pub use handle::{PartitionOffsets, Produced, TopicDraft, TopicInfo, Topics};
pub use pace::{Pace, Start};
pub use record::{Header, MAX_RECORD_BYTES, NewRecord, StoredRecord};
