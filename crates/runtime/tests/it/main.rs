//! The runtime against real parts: sockets, signals, PostgreSQL.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod breaker;
mod calls;
mod database;
mod grpc;
mod http;
mod pooler;
mod protection;
mod schema;
mod start;
mod tls;
