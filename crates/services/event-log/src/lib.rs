//! The event log: topics with consumer groups, and hash-chained partitions, over one append-only store.
//!
//! The store is three libraries: `group_commit`, `hash_chain` and `topics`. Here is what makes a server and a command line
//! of them, in reading order:
//!
//! - [`cli`]: the command line; [`Config`] ([`config`]): settings of the server
//! - [`Service`] ([`service`]): built (directory locked, ports bound), then run until the stop
//! - [`chain_service`]: hash-chained partitions, and their faces
//! - [`anchors`]: the heads of chains, anchored in a topic of Kafka
//! - [`topic_service`]: topics with consumer groups, and their faces
//! - `topics_backend`: what keeps the topics, files or Kafka
//! - `access`: what calls need, and what of the store a caller may see
//! - [`writable`]: what health says
//! - `uri`: paths and queries of the REST faces

mod access;
pub mod anchors;
pub mod chain_service;
pub mod cli;
pub mod config;
pub mod service;
pub mod topic_service;
mod topics_backend;
mod uri;
pub mod writable;

pub use config::Config;
pub use service::Service;
