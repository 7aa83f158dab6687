//! `ratios`: the services against pgbench and their bounds. See `ratios --help` and docs/guides/performance.md.

use std::process::ExitCode;

use benchmark::ending::{Ending, allow_files};
use clap::Parser;
use ratios::args::RatioArgs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = RatioArgs::parse();
    allow_files();
    Ending::code(ratios::run(args).await)
}
