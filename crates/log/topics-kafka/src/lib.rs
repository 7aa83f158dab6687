//! Topics with consumer groups on Apache Kafka: the second [`TopicLog`](topics::TopicLog).
//!
//! In reading order:
//!
//! - [`KafkaTopics`] ([`handle`]): the backend; `catalog`: which topics there are, as far as it was asked lately
//! - `administration`: topics made, deleted and described
//! - `produce`: a producer for each kind of acks
//! - `consume`: reads partitions on and on; `deliveries`: what is given at once (pure)
//! - `groups`: who reads what, and how far
//! - `watch`: whether Kafka answers
//! - `failure`: what the client's errors are to callers
//!
//! Empty without the feature `client` (docs/decisions/0010-kafka-client.md).
#![cfg(feature = "client")]

mod administration;
mod catalog;
mod consume;
mod deliveries;
mod failure;
mod groups;
pub mod handle;
mod produce;
mod watch;

pub use handle::{KafkaTopics, Settings};
