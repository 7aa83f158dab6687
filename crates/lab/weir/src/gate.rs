//! `weir gate`: may a candidate replace a baseline? Exit status and words come from a verdict file alone.

mod args;
mod question;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use lab_gate::{Decision, Gate, VerdictFile, export, words};

pub(crate) use args::GateArgs;

use crate::output;
use crate::usage::{UsageError, wrong_usage};

/// Exit status where there is no verdict to decide from. 1 and 2 are decisions.
const EXIT_NO_VERDICT: u8 = 65;

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
