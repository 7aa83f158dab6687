//! Does a target keep its contract, and did it keep what it promised? Clients of the contracts, and the application
//! database as the lab sees it.
//!
//! In reading order:
//!
//! - [`verify`]: the cases that a target must pass before it is worth measuring
//! - [`audit`]: what a generator counted as done against what the target is seen to have done
//! - [`application_db`]: the database behind the targets; all SQL on it is there
//! - [`http`]: one request on a connection of its own

mod access;
pub mod application_db;
pub mod audit;
pub mod http;
pub mod verify;
