//! The gRPC face: `benchmark.TransactionService` and `benchmark.Health`.
//!
//! - `calls`: decodes, calls [`crate::Transactions`]
//! - `outgoing`: an event on its way, and its encoding
//! - `server`: the tonic service

mod calls;
mod outgoing;
mod server;

pub use calls::{SERVICES, Server};
pub use server::TransactionServer;
