//! The lab's command.

mod metrics;
mod report;
mod runs;

fn main() {}
