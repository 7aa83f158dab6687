//! The limits of one caller: events and bytes per second in token buckets, open streams and connections.
//!
//! - [`Budget`]: what one caller has left
//! - [`Peers`]: a budget for each address

mod budget;
mod peers;

pub use budget::{Budget, Limits, Place};
pub use peers::Peers;
