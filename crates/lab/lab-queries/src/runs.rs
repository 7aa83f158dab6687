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
use lab_model::targets::Targets;
use metrics_db::MetricsDbConfig;

use lab_bench::metrics;

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

impl RunsCommand {
    fn metrics(&self) -> &MetricsDbConfig {
        match self {
            Self::List(args) => &args.metrics,
            Self::Show(args) => &args.metrics,
            Self::Export(args) => &args.metrics,
            Self::Cleanup(args) => &args.metrics,
            Self::Summary(args) => &args.metrics,
        }
    }
}

/// The name under which runs of a target are stored, where it is called by an earlier one.
fn todays(root: &Path, name: &str) -> String {
    let target = Targets::load(root).ok();
    let target = target.as_ref().and_then(|targets| targets.get(name));
    target.map_or(name, |target| &target.name).to_owned()
}

/// Runs one of them.
///
/// # Errors
/// The metrics database cannot be reached, or what was asked for is not there.
pub async fn run(command: RunsCommand, root: &Path, json: bool) -> Result<()> {
    if let RunsCommand::Export(args) = &command {
        args.check()?;
    }
    metrics::reading(root, command.metrics(), async |store| match &command {
        RunsCommand::List(args) => {
            let target = args.target.as_deref();
            list::run(args, target.map(|name| todays(root, name)), store, json).await
        }
        RunsCommand::Show(args) => show::run(args, store, json).await,
        RunsCommand::Export(args) => export::run(args, store, json).await,
        RunsCommand::Cleanup(args) => cleanup::run(args, store, json).await,
        RunsCommand::Summary(args) => summary::run(args, store, json).await,
    })
    .await
}
