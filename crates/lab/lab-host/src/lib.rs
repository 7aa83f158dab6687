//! What the machine gives the lab, its benchmarks and the tests.
//!
//! In reading order:
//!
//! - [`named`], [`tools`], [`postgres`]: the programs of this machine; [`Account`]: as whom PostgreSQL runs
//! - [`state`], [`leftovers`]: the state directory of a checkout, its lock, and what a killed session left behind
//! - [`child`]: child processes, each in a group of its own and stopped for certain; [`port`]: free ports
//! - [`signals`]: signals that the caller has this process ignore
//! - [`server`]: a PostgreSQL server, from an empty folder until it takes statements; [`cluster`]: the two that sessions keep;
//!   [`readers`]: who reads them
//! - [`proxy`]: a network that cuts, freezes and delays; [`distance`]: one that is far;
//!   `accepting`: their connections
//! - [`certificates`]: of services that are started over TLS
//! - [`compose`]: `docker compose` and the file that it reads
//! - [`child_environment`]: what of the caller's environment a child sees
//! - [`variables`], [`environment`]: variables that processes are given, and the fingerprint of the machine

mod accepting;
mod account;
pub mod certificates;
pub mod child;
pub mod child_environment;
pub mod cluster;
pub mod compose;
pub mod distance;
pub mod environment;
pub mod leftovers;
pub mod named;
pub mod port;
pub mod postgres;
pub mod proxy;
pub mod readers;
pub mod server;
pub mod signals;
pub mod state;
pub mod tools;
pub mod variables;

pub use account::{Account, NobodyElse, open_to_all};
