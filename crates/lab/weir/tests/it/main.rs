//! The lab's command as its users run it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod broken;
mod browser;
mod by_benchmark;
mod checkout;
mod contenders;
mod example_gate;
mod examples;
mod feed;
mod gate;
mod generators;
mod history;
#[path = "../../../lab-report/src/invented.rs"]
mod invented;
mod judge;
#[cfg(feature = "kafka")]
mod kafka;
mod own;
mod plan;
mod planted;
mod report_page;
mod report_schema;
mod secure;
mod seed;
mod seeds;
mod session;
mod strangers;
mod usage;
mod verify;
mod verify_scenarios;
