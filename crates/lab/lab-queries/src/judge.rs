//! `weir judge`: the verdict over any figures, from any tool, that a CSV file holds.
//!
//! - [`figures`]: the file as sessions of rounds, or the line and column that are wrong
//! - [`comparisons`]: which pairs are compared, and what the test says of each
//! - [`show`]: text, Markdown and JSON
//! - [`mod@file`]: the same as a verdict file

mod comparisons;
mod figures;
mod file;
mod show;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use lab_gate::VerdictFile;
use lab_verdict::{Look, Settings};

use self::comparisons::Named;
use lab_output as output;
use usage_error::Usage;

/// Exit status for a file that is wrong.
const EXIT_WRONG_FILE: u8 = 2;

/// Judge figures of rounds from a CSV file: which target differs, by how much, and whether that is certain
///
/// The file has the columns `round` and `target` and one for each figure; optionally `payload`, `valid` (true or false) and
/// `session` (each session is judged alone). An empty cell is a missing figure. Exit status: 0 whatever the outcome, 2 for a
/// file that is wrong.
#[derive(Args, Debug)]
pub struct JudgeArgs {
    /// The CSV file; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Ratios within this margin of 1 count as equal
    #[arg(long, value_name = "PERCENT", default_value = "3%", value_parser = share)]
    margin: f64,
    /// Probability of naming a difference where there is none, over all comparisons together
    #[arg(long, value_name = "LEVEL", default_value = "0.05", value_parser = share)]
    alpha: f64,
    /// Compare the other targets with this one only; name it before you look at the figures
    #[arg(long, value_name = "TARGET")]
    reference: Option<String>,
    /// The figure that decides; choose it before you look at the figures. The others are corrected separately and shown
    /// for information
    #[arg(long, value_name = "FIGURE")]
    primary: Option<String>,
    /// This is look K of N planned looks (at 8, 10, ... rounds) at a session that grows
    #[arg(long, value_name = "K/N", value_parser = look)]
    look: Option<Look>,
    /// A figure of which more is better; may be repeated [default: less is better]
    #[arg(long, value_name = "FIGURE")]
    higher_is_better: Vec<String>,
    /// Print Markdown instead of text
    #[arg(long)]
    markdown: bool,
    /// Write the verdict file too, for `weir gate`
    #[arg(long, value_name = "FILE")]
    verdict: Option<PathBuf>,
}

/// A share above 0 and below 1, as `3%` or `0.03`.
///
/// # Errors
/// The text is none, in words for the command line.
pub fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent, 0.01),
        None => (text, 1.0),
    };
    let value = number.trim().parse::<f64>().ok().map(|value| value * unit);
    value
        .filter(|value| *value > 0.0 && *value < 1.0)
        .ok_or_else(|| "must be a share above 0 and below 100 %, such as 3% or 0.03".to_owned())
}

fn look(text: &str) -> Result<Look, String> {
    let parts = text.split_once('/');
    parts
        .and_then(|(number, of)| Look::new(number.parse().ok()?, of.parse().ok()?))
        .ok_or_else(|| {
            format!(
                "must be K/N with K from 1 to N, and N at most {}",
                lab_verdict::looks::MAX_LOOKS
            )
        })
}

/// Runs `weir judge`. `tool` is what a verdict file names as its source.
///
/// # Errors
/// An option names what the file has not, or a file cannot be written.
pub fn run(args: JudgeArgs, tool: &str, json: bool) -> Result<ExitCode> {
    let name = if args.file == "-" {
        "standard input"
    } else {
        &args.file
    };
    let table = match read(&args.file).and_then(|text| figures::parse(&text)) {
        Ok(table) => table,
        Err(wrong) => {
            output::error_line(&format!("weir: {name}: {wrong}"));
            return Ok(ExitCode::from(EXIT_WRONG_FILE));
        }
    };
    let named = Named {
        reference: args.reference,
        primary: args.primary,
        higher_is_better: args.higher_is_better,
    };
    named.check(&table).map_err(Usage::new)?;
    let settings = Settings {
        alpha: args.alpha,
        margin: args.margin,
        look: args.look,
    };
    let sessions = comparisons::judge(&table, &named, settings);
    if let Some(path) = &args.verdict {
        let file = file::verdict_file(&table, &sessions, &named, &settings, tool);
        std::fs::write(path, file.to_json()?)
            .with_context(|| format!("--verdict: writing {}", path.display()))?;
    }
    if json {
        show::json(&sessions)?;
    } else if args.markdown {
        output::line(&show::markdown(&sessions, &settings, &named));
    } else {
        output::line(&show::text(&sessions, &settings, &named));
    }
    Ok(ExitCode::SUCCESS)
}

/// The verdict file of a CSV text, judged with the usual settings; `tool` is what it names as its source.
///
/// # Errors
/// The text is wrong, or has no figure of a name in `higher_is_better`.
pub fn verdict_of_csv(text: &str, higher_is_better: &[String], tool: &str) -> Result<VerdictFile> {
    let table = figures::parse(text).map_err(|wrong| anyhow::anyhow!("{wrong}"))?;
    let named = Named {
        higher_is_better: higher_is_better.to_vec(),
        ..Named::default()
    };
    named.check(&table).map_err(Usage::new)?;
    let settings = Settings::default();
    let sessions = comparisons::judge(&table, &named, settings);
    Ok(file::verdict_file(
        &table, &sessions, &named, &settings, tool,
    ))
}

fn read(file: &str) -> Result<String, figures::WrongFile> {
    let mut bytes = Vec::new();
    let read = if file == "-" {
        std::io::stdin().read_to_end(&mut bytes)
    } else {
        std::fs::read(file).map(|found| {
            bytes = found;
            bytes.len()
        })
    };
    read.map_err(|error| figures::WrongFile::unreadable(&error))?;
    String::from_utf8(bytes).map_err(|error| figures::WrongFile::not_utf8(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_looks_from_the_command_line() {
        assert_eq!(share("3%"), Ok(0.03));
        assert_eq!(share("2.5 %"), Ok(0.025));
        assert_eq!(share("0.1"), Ok(0.1));
        for wrong in ["3", "0", "-1%", "100%", "x", "", "%", "nan"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        assert_eq!(look("3/7").ok(), Look::new(3, 7));
        for wrong in ["8/7", "0/7", "3", "a/b", "1/0", "1/51"] {
            assert!(look(wrong).is_err(), "{wrong}");
        }
    }
}
