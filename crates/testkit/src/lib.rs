//! For tests only: real parts, started fast and never left behind.
//!
//! - [`kafka`]: Apache Kafka brokers of a test's own
//! - [`postgres`]: a PostgreSQL for the test process, a fresh database for each test, servers of a test's own
//! - [`programs`]: builds programs of the workspace; [`process`]: one of them as a process on free ports
//! - [`http`]: a plain HTTP/1.1 client that can also send half a request
//! - [`network`]: what holds for every port of every service, as checks
//! - [`openssl`]: TLS of every port as a client sees it that is not ours
//! - [`pgbouncer`]: a real PgBouncer in transaction mode
//! - [`pooler`]: a connection pooler in session or transaction mode
//! - [`proxy`]: a TCP proxy that cuts, freezes or delays connections
//! - [`at_once()`]: how fast refusals come
//! - [`eventually()`]: waits for what happens elsewhere
//! - [`tls`]: an authority that signs certificates
//! - [`json_schema`]: what a program writes as JSON against its schema in the repository
//! - [`left_out()`]: what a test does where a part that it needs is missing
//!
//! What this crate starts ends with the test process, however that ends: a watchdog waits at the other end
//! of a pipe. Failures panic: there is nothing a test could do about them.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]
#![allow(clippy::print_stderr, reason = "a test's output")]

mod at_once;
mod eventually;
pub mod http;
pub mod json_schema;
pub mod kafka;
mod left_out;
pub mod network;
pub mod openssl;
pub mod pgbouncer;
pub mod pooler;
pub mod postgres;
pub mod process;
pub mod programs;
pub mod tls;
mod watchdog;

pub use at_once::at_once;
pub use eventually::eventually;
pub use lab_host::proxy;
pub use left_out::left_out;
pub use postgres::Database;
pub use process::Service;
