//! `ratios`: the services against pgbench and their bounds. See `ratios --help` and docs/guides/performance.md.

use std::process::ExitCode;

use clap::Parser;
use load_engine::ending::{Ending, allow_files};
use ratios::args::RatioArgs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = RatioArgs::parse();
    allow_files();
    Ending::of(ratios::run(args))
}
