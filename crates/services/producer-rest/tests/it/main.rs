//! producer-rest as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod bulk;
mod durability;
mod events;
mod network;
mod overload;
mod stopping;
mod support;
