//! `benchmark`: the load generator. See `benchmark --help` and docs/reference/benchmark.md.

use std::process::ExitCode;

use benchmark::args::{Cli, Command};
use benchmark::command::{self, Ending};
use benchmark::ratios;
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A subscriber is an open file, of which many systems allow 1,024 unless asked. Where asking does not help, what cannot
/// be opened says so.
fn allow_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, most, most).ok();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    allow_files();
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
