//! The wire contracts of `proto/` as Rust types, servers and clients, and the conversions to `domain` types.
//!
//! - [`event`] has ingestion of events (`com.example.grpc`)
//! - [`benchmark`] has balances and the transaction stream (`benchmark`)
//! - [`takhin`] has topics (`takhin.v1`)
//! - [`immutable_log`] has hash-chained partitions (`immutablelog`)
//! - `convert` makes a [`event::EventRequest`] a [`domain::Event`]

mod convert;

/// Package `com.example.grpc`: the service `EventService` and its messages.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod event {
    tonic::include_proto!("com.example.grpc");
}

/// Package `benchmark`: the services `BalanceService`, `TransactionService` and `Health`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod benchmark {
    tonic::include_proto!("benchmark");
}

/// Package `takhin.v1`: the service `TakhinService`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod takhin {
    tonic::include_proto!("takhin.v1");
}

/// Package `immutablelog`: the service `ImmutableLogService`.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub mod immutable_log {
    tonic::include_proto!("immutablelog");
}

/// The encoded `FileDescriptorSet` of all packages, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
