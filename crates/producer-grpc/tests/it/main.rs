//! producer-grpc as a process and in process, on a real PostgreSQL.

mod calls;
mod parity;
mod stopping;
mod streaming;
mod support;
