//! producer-rest as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod bulk;
mod durability;
mod events;
mod overload;
mod protection;
mod stopping;
mod support;
