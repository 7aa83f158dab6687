//! Events as records of a Kafka topic: what producers write and the sink reads.
//!
//! - [`EventsTopic`] ([`config`]): its settings
//! - [`record`]: an event as a record, and back (pure)
//! - [`EventProducer`] ([`producer`]): sends events, acknowledged by all replicas in sync
//!
//! Empty without the feature `client` (docs/decisions/0010-kafka-client.md).
#![cfg(feature = "client")]

pub mod config;
pub mod producer;
pub mod record;

pub use config::EventsTopic;
pub use producer::{EventProducer, Place, SendError};
