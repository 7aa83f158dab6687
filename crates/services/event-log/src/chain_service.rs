//! Hash-chained partitions over the network.
//!
//! - [`Served`] ([`served`]): the log as it is served
//! - [`mod@grpc`], [`rest`]: the two faces
//! - [`metrics`]: what Prometheus is told

pub mod grpc;
pub mod metrics;
pub mod rest;
pub mod served;

pub use served::Served;
