//! `weir runs`: what the metrics database holds.
//!
//! - [`list`]: recent runs; [`show`]: all of one run; [`export`]: one run as a file
//! - [`cleanup`]: delete old runs; [`summary`]: how much there is, and the newest run of each target
//! - [`words`]: figures and times as the tables show them

mod cleanup;
mod export;
mod list;
mod show;
mod summary;
mod words;

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

/// The subcommands of `weir runs`.
#[derive(Subcommand, Debug)]
pub enum RunsCommand {
    /// List recent runs, newest first
    List(list::ListArgs),
    /// Show one run: figures, phases, resources, checks, audit
    Show(show::ShowArgs),
    /// Write one run with its phases and samples to a file
    Export(export::ExportArgs),
    /// Delete old runs; shows what it would delete unless --execute is given
    Cleanup(cleanup::CleanupArgs),
    /// Say what the metrics database holds
    Summary(summary::SummaryArgs),
}

/// Runs one of them.
///
/// # Errors
/// The metrics database cannot be reached, or what was asked for is not there.
pub async fn run(command: RunsCommand, root: &Path, json: bool) -> Result<()> {
    match command {
        RunsCommand::List(args) => list::run(&args, root, json).await,
        RunsCommand::Show(args) => show::run(&args, root, json).await,
        RunsCommand::Export(args) => export::run(&args, root, json).await,
        RunsCommand::Cleanup(args) => cleanup::run(&args, root, json).await,
        RunsCommand::Summary(args) => summary::run(&args, root, json).await,
    }
}
