//! `benchmark`: the load generator. See `benchmark --help` and docs/reference/benchmark.md.

use std::process::ExitCode;

use benchmark::args::{Cli, Command};
use benchmark::command::{self, Ending};
use benchmark::ratios;
use benchmark::usage::Usage;
use clap::Parser;
use clap::error::ErrorKind;
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

/// Says what is wrong with the options as clap says it of a single one.
fn refuse(error: &anyhow::Error) -> anyhow::Result<ExitCode> {
    let error = clap::Error::raw(ErrorKind::ValueValidation, format!("{error:#}\n"));
    error.print()?;
    Ok(ExitCode::from(u8::try_from(error.exit_code())?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    allow_files();
    let ended = match cli.command {
        Some(Command::Ratios(args)) => ratios::run(args).await,
        None => command::run(cli.load).await,
    };
    Ok(match ended {
        Ok(Ending::Complete) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Ok(Ending::NoSuccess) => ExitCode::FAILURE,
        Err(error) if error.is::<Usage>() => refuse(&error)?,
        Err(error) => return Err(error),
    })
}
