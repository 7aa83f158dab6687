//! How a service reaches Apache Kafka: settings, TLS and SASL, and the first connection.
//!
//! - [`KafkaConfig`] ([`config`]): flags and environment variables, the same for every service
//! - [`connect()`], [`connect_patiently()`], [`Timing`]: a handle of the client
//!
//! Empty without the feature `client` (docs/decisions/0010-kafka-client.md).
#![cfg(feature = "client")]

pub mod config;
mod connect;

pub use config::{KafkaConfig, SaslMechanism};
pub use connect::{Timing, connect, connect_patiently};
