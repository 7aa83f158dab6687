//! Tests of sink as a process; all need Kafka.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]

mod kafka;
