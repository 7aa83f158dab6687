//! `benchmark`: the load generator. See `benchmark --help` and docs/reference/benchmark.md.

use std::process::ExitCode;

use benchmark::args::Cli;
use benchmark::command::{self, Ending};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let ending = command::run(cli.load).await?;
    Ok(match ending {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Interrupted => ExitCode::from(130),
        Ending::NoSuccess => ExitCode::FAILURE,
    })
}
