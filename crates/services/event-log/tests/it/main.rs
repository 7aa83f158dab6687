//! event-log as a process, over the network and on its files.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod chain;
mod faults;
mod network;
mod protection;
mod support;
mod topics;
