//! One measurement after the other, with the parts that live meanwhile.
//!
//! - `parts`: what lives meanwhile; `cpu`: the CPU time that processes use meanwhile
//! - `pair`: pairs of ingestion and of balances
//! - `stream`, `log`: the figures that have bounds

mod cpu;
mod log;
mod pair;
mod parts;
mod stream;

pub(crate) use log::{beside, log};
pub(crate) use parts::Lab;
