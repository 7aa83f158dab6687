//! One measurement after the other, with the parts that live meanwhile.
//!
//! - `parts`: what lives meanwhile; `cpu`: the CPU time that processes use meanwhile
//! - `pair`: pairs of ingestion and of balances
//! - `stream`, `log`: the figures that have bounds
//! - `memory`: the memory that a service uses meanwhile
//! - `rate`: one load at one rate; `effort`, `scrape`: what the service did for it

mod cpu;
mod effort;
mod log;
mod memory;
mod pair;
mod parts;
mod rate;
mod scrape;
mod stream;

pub(crate) use log::{beside, log};
pub(crate) use parts::Lab;
