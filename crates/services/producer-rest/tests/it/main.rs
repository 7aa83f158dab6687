//! producer-rest as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod breaker;
mod bulk;
mod deadlines;
mod dotenv;
mod durability;
mod events;
#[cfg(feature = "kafka")]
mod kafka;
mod locks;
mod lone;
mod network;
mod overload;
mod protection;
mod start;
mod stopping;
mod support;
mod trouble;
