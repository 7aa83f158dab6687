//! Topics with consumer groups on Apache Kafka: the second [`TopicLog`](topics::TopicLog).
//!
//! In reading order:
//!
//! - `handle`: the backend that the faces call
//! - [`KafkaTopics`] (`shared`): what every part works on: `catalog` (which topics there are, as far as it was asked lately),
//!   `producers`, `members` (of groups, through this process), `seen` (whether Kafka answered)
//! - `lookup`: topics and partitions, asked of Kafka where the catalog is old
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
mod handle;
mod lookup;
mod members;
mod produce;
mod producers;
mod seen;
mod shared;
mod watch;

pub use shared::{KafkaTopics, Settings};
