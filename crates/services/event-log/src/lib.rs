//! The event log: topics with consumer groups, and hash-chained partitions, over one append-only store.
//!
//! In reading order:
//!
//! - [`cli`]: the command line; [`Config`] ([`config`]): settings of the server
//! - [`Service`] ([`service`]): built (directory locked, ports bound), then run until the stop
//! - [`Directory`] ([`directory`]): held by one process at a time
//! - [`Durability`] ([`durability`]): what an acknowledgement promises
//! - [`group_commit`]: concurrent appends share one write and one fsync
//! - [`chain`]: hash-chained partitions, one JSONL file each, and their faces
//! - [`topics`]: topics with consumer groups, and their faces
//! - `uri`: paths and queries of the REST faces

pub mod chain;
pub mod cli;
pub mod config;
pub mod directory;
pub mod durability;
pub mod group_commit;
pub mod service;
pub mod topics;
mod uri;

pub use config::Config;
pub use directory::Directory;
pub use durability::Durability;
pub use service::Service;
