//! stream as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod asking;
mod backlog;
mod breaker;
mod client;
mod crowd;
mod database;
mod faces;
mod memory;
mod network;
mod numbering;
mod protection;
mod reading;
mod stopping;
mod support;
mod writing;
