//! `benchmark` against small servers that count what they see.

// A precondition that fails should end the test with its place and cause.
#![allow(clippy::unwrap_used)]

mod grpc_server;
mod http_server;
mod load;
mod process;
mod ratios;
mod record;
mod seen;
