//! producer-grpc as a process and in process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod breaker;
mod calls;
#[cfg(feature = "kafka")]
mod kafka;
mod network;
mod parity;
mod protection;
mod stopping;
mod streaming;
mod support;
