//! The one use case behind both producers: take a valid event, store it durably, acknowledge it after commit.
//!
//! How an event travels, in reading order:
//!
//! - [`Ingest`] ([`handle`]): the cheap `Clone` handle that the faces call
//! - [`lane`]: many events of one caller, in order
//! - [`config`]: its settings
//! - `caller`: who waits for an event, and until when; everyone gets one answer
//! - `bulk`: the outcomes of a bulk request, and which writer each of its events goes to
//! - `queue`: a bounded queue per writer, by events and by bytes, and whose turn it is to write
//! - `lone`: an event that comes while nobody writes is written by its own request
//! - `writer`: takes all that waits, one upsert a batch, answers after commit; what it does when a batch fails
//! - `on_kafka`: events to Kafka instead, with the feature `kafka`
//! - [`Wait`] (`wait`): what the answer waits for; `applied`: who waits until the sinks have merged an event
//! - [`merge`]: for the sink, the same upsert within a transaction of the caller's
//! - `parked`: events whose rows other transactions have locked, so that the others need not wait for them
//! - `trouble`: what the writers know about a database that takes no writes
//! - `batch`: folds updates of one entity and sorts rows by key (pure)
//! - `store`: the only module that speaks SQL
//! - [`metrics`]: counters, also logged at shutdown
//! - [`error`]: what can go wrong, and of what [`domain::Kind`] it is

#[cfg(feature = "kafka")]
mod applied;
mod batch;
mod bulk;
mod caller;
pub mod config;
pub mod error;
pub mod handle;
pub mod lane;
mod lone;
pub mod merge;
pub mod metrics;
#[cfg(feature = "kafka")]
mod on_kafka;
mod parked;
mod queue;
mod store;
mod trouble;
mod wait;
mod writer;

pub use config::{IngestConfig, WriteMode};
pub use error::{IngestError, Outcome};
pub use handle::{Ingest, Writers, connect};
pub use lane::{Lane, Outcomes};
pub use metrics::IngestMetrics;
pub use wait::Wait;

/// What an acknowledged event is answered with, on both faces.
pub const STORED: &str = "Event processed successfully";

/// What a health check is answered with while the database answers, on both faces.
pub const HEALTHY: &str = "Event processing service is healthy";
