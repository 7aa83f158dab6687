//! `weir gate`: may a candidate replace a baseline? Exit status and words come from a verdict file alone.

mod question;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab_gate::{Decision, Gate, VerdictFile, export, words};
use metrics_db::MetricsDbConfig;

use crate::output;
use crate::usage::{UsageError, wrong_usage};

/// Exit status where there is no verdict to decide from. 1 and 2 are decisions.
const EXIT_NO_VERDICT: u8 = 65;

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
    verdict: Option<String>,
    /// Target that is in use; or a CSV file with its trials
    #[arg(long, value_name = "TARGET")]
    baseline: String,
    /// Target that is to replace it; or a CSV file with its trials, of the same rounds
    #[arg(long, value_name = "TARGET")]
    candidate: String,
    /// How much worse a figure may be
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = crate::judge::share)]
    max_regression: f64,
    /// Figure that decides; may be repeated [default: those that decide in the verdict]
    #[arg(long = "figure", value_name = "FIGURE")]
    figures: Vec<String>,
    /// A figure of a CSV file of which more is better; may be repeated
    #[arg(long, value_name = "FIGURE")]
    higher_is_better: Vec<String>,
    /// Write the decision as Markdown, for a comment on a pull request
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the decision as JUnit: a test case a figure
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the figures of the verdict in Bencher Metric Format
    #[arg(long, value_name = "FILE")]
    bmf: Option<PathBuf>,
    /// Write a badge: an SVG, or for a name ending in .json what a shields.io endpoint answers
    #[arg(long, value_name = "FILE")]
    badge: Option<PathBuf>,
    #[command(flatten)]
    metrics: MetricsDbConfig,
}

/// Runs `weir gate`.
///
/// # Errors
/// Wrong usage alone: whatever else goes wrong ends with a status that is no decision.
pub(crate) async fn run(args: GateArgs, root: Result<PathBuf>, json: bool) -> Result<ExitCode> {
    match decided(args, root, json).await {
        Ok(decision) => Ok(ExitCode::from(decision.exit_status)),
        Err(error) if wrong_usage(&error).is_some() => Err(error),
        Err(error) => {
            output::error_line(&format!("weir: {error:#}"));
            Ok(ExitCode::from(EXIT_NO_VERDICT))
        }
    }
}

async fn decided(args: GateArgs, root: Result<PathBuf>, json: bool) -> Result<Decision> {
    let asked = question::read(&args, root).await?;
    let gate = Gate {
        baseline: asked.baseline,
        candidate: asked.candidate,
        max_regression: args.max_regression,
        figures: args.figures.clone(),
    };
    let decision = gate
        .decide(&asked.file)
        .map_err(|wrong| UsageError::plain(wrong.to_string()))?;
    write_exports(&args, &decision, &asked.file)?;
    if json {
        output::json(&decision)?;
    } else {
        output::line(&words::text(&decision));
    }
    Ok(decision)
}

fn write_exports(args: &GateArgs, decision: &Decision, file: &VerdictFile) -> Result<()> {
    if let Some(path) = &args.markdown {
        write(path, &export::markdown(decision, file)?)?;
    }
    if let Some(path) = &args.junit {
        write(path, &export::junit(decision, file)?)?;
    }
    if let Some(path) = &args.bmf {
        write(path, &export::bmf(file)?)?;
    }
    if let Some(path) = &args.badge {
        let is_endpoint = path.extension().is_some_and(|ending| ending == "json");
        let badge = match is_endpoint {
            true => export::badge_endpoint(decision),
            false => export::badge_svg(decision),
        };
        write(path, &badge)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
