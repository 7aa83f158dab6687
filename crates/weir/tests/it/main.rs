//! The lab's command as its users run it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod checkout;
mod session;
mod usage;
mod verify;
