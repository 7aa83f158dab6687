//! The kit itself: what it starts is there fast, and nothing of it stays behind.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod kafka;
mod postgres;
mod process;
mod proxy;
