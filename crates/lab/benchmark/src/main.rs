//! `benchmark`: the load generator. See `benchmark --help` and docs/reference/benchmark.md.

use std::process::ExitCode;

use benchmark::args::{Cli, Command};
use benchmark::clock;
use benchmark::command;
use benchmark::handover;
use load_engine::ending::{Ending, allow_files};
use load_engine::usage;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli: Cli = usage::parse();
    allow_files();
    Ending::of(async {
        match cli.command {
            Some(Command::Ratios { options }) => Err(handover::to_ratios(&options)),
            Some(Command::Clock) => clock::answer(),
            None => command::run(cli.load).await,
        }
    })
}
