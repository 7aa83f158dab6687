//! How much one caller may ask for: events and bytes a second in token buckets, open streams and connections.
//!
//! - [`Budget`]: what one caller has left
//! - [`Peers`]: a budget for each address

mod budget;
mod peers;

pub use budget::{Budget, Limits, Place};
pub use peers::Peers;
