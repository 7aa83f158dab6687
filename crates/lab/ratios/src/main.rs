//! `ratios`: the services against pgbench and their bounds. See `ratios --help` and docs/guides/performance.md.

use std::process::ExitCode;

use benchmark::ending::{Ending, allow_files};
use clap::Parser;
use ratios::args::RatioArgs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = RatioArgs::parse();
    allow_files();
    Ending::of(ratios::run(args))
}
