//! `ratios`: the services against pgbench and their bounds. See `ratios --help` and docs/guides/performance.md.

use std::process::ExitCode;

use load_engine::ending::{Ending, allow_files};
use load_engine::usage;
use ratios::args::RatioArgs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args: RatioArgs = usage::parse();
    allow_files();
    Ending::of(ratios::run(args))
}
