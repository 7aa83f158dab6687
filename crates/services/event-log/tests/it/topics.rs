//! Topics through a server process.

mod crash;
mod faces;
mod groups;
mod parity;
mod stream;
mod support;
