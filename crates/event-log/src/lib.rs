//! The event log: topics with consumer groups, and hash-chained partitions, over one append-only store.
//!
//! In reading order:
//!
//! - [`Durability`]: what an acknowledgement promises
//! - [`Directory`]: held by one process at a time
//! - [`group_commit`]: concurrent appends share one write and one fsync
//! - [`chain`]: hash-chained partitions, one JSONL file each
//! - [`topics`]: topics with consumer groups

pub mod chain;
pub mod directory;
pub mod durability;
pub mod group_commit;
pub mod topics;

pub use directory::Directory;
pub use durability::Durability;
