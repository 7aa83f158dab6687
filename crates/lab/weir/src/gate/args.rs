//! The options of `weir gate`.

use std::path::PathBuf;

use clap::Args;
use metrics_db::MetricsDbConfig;

/// Decide whether a candidate may replace a baseline: exit status 0 held, 1 regressed, 2 open
///
/// Both must be targets of one session: rounds that they have in common are compared, and nothing else. Held: certainly not
/// more than the limit worse, in each figure. Regressed: certainly more, in one. Open: too few rounds, too much spread, or
/// disturbed; the text says what would decide it. Exit status 65: there is no verdict to read; 64: wrong usage.
#[derive(Args, Debug)]
pub(crate) struct GateArgs {
    /// verdict.json of a session, a CSV file as `weir judge` takes it, `-` for one of these on standard input, or the id of
    /// a session [default: the newest session]
    #[arg(value_name = "VERDICT")]
    pub(super) verdict: Option<String>,
    /// Target that is in use; or a CSV file with its trials
    #[arg(long, value_name = "TARGET")]
    pub(super) baseline: String,
    /// Target that is to replace it; or a CSV file with its trials, of the same rounds
    #[arg(long, value_name = "TARGET")]
    pub(super) candidate: String,
    /// How much worse a figure may be
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = crate::judge::share)]
    pub(super) max_regression: f64,
    /// Figure that decides; may be repeated [default: those that decide in the verdict]
    #[arg(long = "figure", value_name = "FIGURE")]
    pub(super) figures: Vec<String>,
    /// A figure of a CSV file of which more is better; may be repeated
    #[arg(long, value_name = "FIGURE")]
    pub(super) higher_is_better: Vec<String>,
    /// Write the decision as Markdown, for a comment on a pull request
    #[arg(long, value_name = "FILE")]
    pub(super) markdown: Option<PathBuf>,
    /// Write the decision as JUnit: a test case a figure
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Write the figures of the verdict in Bencher Metric Format
    #[arg(long, value_name = "FILE")]
    pub(super) bmf: Option<PathBuf>,
    /// Write a badge: an SVG, or for a name ending in .json what a shields.io endpoint answers
    #[arg(long, value_name = "FILE")]
    pub(super) badge: Option<PathBuf>,
    #[command(flatten)]
    pub(super) metrics: MetricsDbConfig,
}
