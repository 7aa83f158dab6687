//! `benchmark`: the load generator. See `benchmark --help` and docs/reference/benchmark.md.

use std::process::ExitCode;

use benchmark::args::{Cli, Command};
use benchmark::command::{self, Ending};
use benchmark::ratios;
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let ending = match cli.command {
        Some(Command::Ratios(args)) => ratios::run(args).await?,
        None => command::run(cli.load).await?,
    };
    Ok(match ending {
        Ending::Complete => ExitCode::SUCCESS,
        Ending::Interrupted => ExitCode::from(130),
        Ending::NoSuccess => ExitCode::FAILURE,
    })
}
