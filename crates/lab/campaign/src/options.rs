//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::scenario::Kind;

/// Does to the services what a year of production would, and counts what they lost.
///
/// Starts PostgreSQL and all services on free ports of 127.0.0.1, puts them under load, and runs the scenarios one after the other
/// until the time is over. After each round the load pauses, and every promise is checked. Exit status 0: all were kept.
#[derive(Debug, Parser)]
#[command(name = "campaign", version)]
pub(crate) struct Options {
    /// How long it runs, in minutes; the round under way is finished
    #[arg(long, default_value = "3", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) minutes: u32,

    /// One scenario alone; may be given several times [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<Kind>,

    /// Seconds of one round
    #[arg(long, default_value = "10", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) round: u32,

    /// Seed of all random choices [default: the time]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Where the binaries of the services are [default: beside this program]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) binaries: Option<PathBuf>,

    /// The checkout: where `.tools/env` and `postgres/` are
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    pub(crate) root: PathBuf,

    /// Writes the table to this file too, as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) table: Option<PathBuf>,

    /// Where data and logs are kept; nothing is kept without it, unless a promise was broken
    #[arg(long, value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }
}
