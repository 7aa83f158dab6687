//! Topics through a server process.

mod backends;
mod crash;
mod faces;
mod groups;
#[cfg(feature = "kafka")]
mod kafka;
mod parity;
mod stream;
mod support;
