//! `weir runs`: what the metrics database holds.

use std::path::Path;

use anyhow::Result;
use clap::Subcommand;

/// The subcommands of `weir runs`.
#[derive(Subcommand, Debug)]
pub(crate) enum RunsCommand {
    /// List recent runs.
    List,
}

/// Runs one of them.
pub(crate) async fn run(_command: RunsCommand, _root: &Path, _json: bool) -> Result<()> {
    anyhow::bail!("runs: not written yet")
}
