//! event-log as a process and as files.
#![allow(clippy::unwrap_used, reason = "a test fails where its surroundings do")]
