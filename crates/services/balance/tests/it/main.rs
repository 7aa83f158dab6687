//! balance as a process, on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod breaker;
mod calls;
mod database;
mod network;
mod overload;
mod parity;
mod protection;
mod reads;
mod replica;
mod stopping;
mod support;
