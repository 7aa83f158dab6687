//! producer-rest as a process, on a real PostgreSQL.

mod bulk;
mod durability;
mod events;
mod overload;
mod stopping;
mod support;
