//! Topics with consumer groups over the network.
//!
//! - [`mod@grpc`], [`rest`]: the two faces over [`topics::Topics`]
//! - [`metrics`]: what Prometheus is told
//! - `failure`: errors of topics as both faces answer them

mod failure;
pub mod grpc;
pub mod metrics;
pub mod rest;
