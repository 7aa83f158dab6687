//! producer-rest as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod bulk;
mod deadlines;
mod durability;
mod events;
mod locks;
mod overload;
mod start;
mod stopping;
mod support;
mod trouble;
