//! `benchmark` against small servers that count what they see, and against the services themselves.

// A precondition that fails should end the test with its place and cause.
#![allow(clippy::unwrap_used)]

mod balance;
mod batch;
mod grpc_server;
mod http_server;
mod idle;
mod interrupt;
mod load;
mod log;
mod open_loop;
mod output;
mod own;
mod process;
mod record;
mod schema;
mod secure;
mod seen;
mod services;
mod stream;
