//! The comparison report of a session: one HTML page and its Markdown twin.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use metrics_db::{MetricsDbConfig, Store};

/// `weir report`: write the report of a session anew.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Session id; the newest one if left out.
    session: Option<String>,
    /// Directory to write to [default: load-test/results/<session>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// Where the two files are.
#[derive(Clone, Debug)]
pub struct ReportPaths {
    /// The self-contained page.
    pub html: PathBuf,
    /// The Markdown twin.
    pub markdown: PathBuf,
}

/// Runs `weir report`.
pub(crate) async fn run(_args: ReportArgs, _root: &Path, _json: bool) -> Result<()> {
    anyhow::bail!("report: not written yet")
}

/// Writes both files of `session` into `out_dir`.
pub async fn write(_store: &Store, _session: &str, _out_dir: &Path) -> Result<ReportPaths> {
    anyhow::bail!("report: not written yet")
}
