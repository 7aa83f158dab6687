//! PostgreSQL: one pool for the whole process, migrations under a lock, errors by what can be done about them.
//!
//! - [`Database`]: the pool, and whether the database answers
//! - `breaker`: while the database is away, callers are told at once and one probe at a time asks for it
//! - `start`: waits for PostgreSQL when a service starts, unless no waiting can help
//! - [`Schema`]: what a service needs in the database, and the migrations that make it
//! - [`Connection`]: a pooled connection with its statements, closed where its session may be spoiled
//! - `pooler`: whether a pooler such as PgBouncer stands between
//! - [`DatabaseError`], [`Cause`]: what went wrong
//! - [`connector()`] (`tls`): TLS as the URL asks for it

mod breaker;
mod connect;
mod connection;
mod database;
mod error;
mod pooler;
mod schema;
mod start;
mod tls;

pub use connection::{Connection, Parameter};
pub use database::Database;
pub use error::{Cause, DatabaseError, DatabaseErrorKind};
pub use pooler::Pooling;
pub use schema::Schema;
pub use tls::{Connector, TlsStream, connector};
