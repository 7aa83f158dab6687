//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use metrics_db::MetricsDbConfig;

use crate::events::attributes::Payload;
use crate::protocol::Protocol;
use crate::ratios::args::RatioArgs;

/// Load generator of the lab: light enough to share a machine with what it measures.
///
/// Keeps a fixed number of requests in flight (closed loop), counts every answer, and prints rate, latency
/// percentiles and what the generator itself cost. Ctrl-C ends the run and gives what was measured until
/// then.
#[derive(Debug, Parser)]
#[command(
    name = "benchmark",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What to do instead of making load.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The load to make.
    #[command(flatten)]
    pub load: LoadArgs,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(about = "Measure what group commit is worth, against pgbench and against none")]
    #[expect(missing_docs, reason = "described by its options")]
    Ratios(RatioArgs),
}

/// What is asked of the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Events for producer-rest and producer-grpc
    #[default]
    Ingest,
}

impl Scenario {
    /// The name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
        }
    }
}

/// How progress is shown, on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// One redrawn line on a terminal, plain lines otherwise
    #[default]
    Auto,
    /// A line every five seconds
    Plain,
    /// Nothing
    None,
}

/// Options of a load.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// What is asked of the target
    #[arg(long, value_enum, default_value_t)]
    pub scenario: Scenario,

    /// What the target speaks [default: that of --target, else rest]
    #[arg(long, value_enum)]
    pub protocol: Option<Protocol>,

    /// Requests in flight
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub concurrency: usize,

    /// Connections that carry them [default: rest: one per request in flight; grpc: 10]
    #[arg(long, value_name = "N")]
    pub connections: Option<usize>,

    /// The measured window
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Duration,

    /// Load before the measured window, in no figure but in the counts for the audit
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub warmup: Duration,

    /// Limit per request
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    /// Threads that make the load
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub threads: usize,

    /// A target by its name in targets.toml, on this machine's port of it
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub target: Option<String>,

    /// Where the target is [default: http://127.0.0.1:8081, for grpc :9090]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// The list of targets
    #[arg(long, default_value = "load-test/targets.toml", value_name = "FILE")]
    pub targets: PathBuf,

    /// Size of the events
    #[arg(long, value_enum, default_value_t)]
    pub payload: Payload,

    /// Merge into this many entities instead of making new ones
    #[arg(long, value_name = "N")]
    pub keys: Option<u32>,

    /// Seed of the order of event types
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Carried by every event, letters, digits, dot, hyphen and underscore [default: made from the time]
    #[arg(long, value_name = "LABEL", value_parser = run_id)]
    pub run_id: Option<String>,

    /// Write the result as JSON to this file, or - for standard output (instead of the summary)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the run into the metrics database
    #[arg(long)]
    pub record: bool,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    pub progress: ProgressMode,

    /// Where the metrics database is.
    #[command(flatten)]
    pub metrics_db: MetricsDbConfig,
}

/// The longest run id, bytes: an entity id has at most 255 characters.
const RUN_ID_BYTES: usize = 64;

fn run_id(text: &str) -> Result<String, String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if text.is_empty() || text.len() > RUN_ID_BYTES || !text.bytes().all(valid) {
        return Err(format!(
            "expected 1 to {RUN_ID_BYTES} of letters, digits, '.', '-' and '_'"
        ));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_ids_that_would_break_a_body_are_refused() {
        for wrong in ["", "a\"b", "a b", "\u{e4}", &"x".repeat(65)] {
            assert!(run_id(wrong).is_err(), "{wrong:?}");
        }
        assert!(run_id("20261121T104205Z-3f9a.1").is_ok());
    }
}
