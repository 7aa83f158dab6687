//! What every binary of the workspace needs, from its first line to its last.
//!
//! In the order in which a process uses them:
//!
//! - [`config`]: settings that services share, as flags and environment variables; `.env`
//! - [`telemetry`]: log lines, as text or JSON
//! - [`open_files`]: as many as the system allows
//! - [`threads`]: how many worker threads, the tokio runtime made of them, workers with a runtime each
//! - [`detach`]: work that goes on when its caller leaves
//! - [`shutdown`]: signals, requests in flight, the graceful stop
//! - [`postgres`]: the connection pool, migrations, and what kind of error a database error is
//! - [`connection`]: all connections of the process: their number, and their limits
//! - [`status`]: the one table from `Kind` to HTTP status and gRPC code
//! - [`request_id`]: the id of a request, taken or made
//! - [`protection`]: how both faces ask about a call, and answer what is refused
//! - [`http`]: the listening socket, and the one server of all actix-web faces
//! - [`grpc`]: the same for the tonic faces
//! - [`faces`]: both of them, from the first connection to the last answer
//! - [`health`]: the background probe of the database, and the client behind `health`
//! - [`metrics`]: the Prometheus registry
//! - [`wakeups`]: answers for many requests of one thread with one wake-up
//! - [`serve()`]: the first and last lines of every service; [`exit()`]: the last line of a process that does not go on

pub mod config;
pub mod connection;
pub mod detach;
mod exit;
pub mod faces;
pub mod grpc;
pub mod health;
pub mod http;
pub mod metrics;
pub mod open_files;
pub mod postgres;
pub mod protection;
pub mod request_id;
mod service;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod threads;

pub use exit::{Stopped, exit};
pub use service::serve;
pub use wakeups;
