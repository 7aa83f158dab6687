//! `ratios` as a user runs it, with real services.

// A precondition that fails should end the test with its place and cause.
#![allow(clippy::unwrap_used)]

mod command;
mod session;
mod usage;
