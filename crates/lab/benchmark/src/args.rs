//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use metrics_db::MetricsDbConfig;
use protect::ClientArgs;

use load_engine::accounts::SEEDED;
use load_engine::events::attributes::Payload;
use load_engine::progress::ProgressMode;
use load_engine::protocol::Place;
use load_engine::usage::{Usage, require};

pub mod log;
pub mod own;
pub mod pacing;
pub mod scenario;
pub mod stream;
pub mod workload;

use log::LogArgs;
use own::OwnArgs;
use pacing::PacingArgs;
pub use scenario::{Interface, Scenario};
use stream::StreamArgs;
use workload::Workload;

/// Load generator of the lab: light enough to share a machine with what it measures.
///
/// Keeps a fixed number of requests in flight (closed loop) or sends them at a fixed rate (open loop, --rate),
/// or subscribes to streams; checks every answer and every event, and prints rate, latency percentiles and
/// what the generator itself cost. Ctrl-C ends the run and gives what was measured until then.
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
    /// Run the program `ratios`: the services against pgbench, other designs, and their bounds
    #[command(disable_help_flag = true)]
    Ratios {
        /// Options of `ratios`
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "OPTIONS"
        )]
        options: Vec<OsString>,
    },
    /// Answer each line of standard input with the time of this machine, microseconds since 1970: weir compares clocks by it
    Clock,
}

/// Options of a load.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// What is asked of the target [default: that of --workload or --target, else ingest]
    #[arg(long, value_enum)]
    pub scenario: Option<Scenario>,

    /// A load by its name, with the criteria that it has to meet: exit status 1 when it does not
    #[arg(long, value_enum, value_name = "NAME")]
    pub workload: Option<Workload>,

    /// Scenario balance: --workload balance-levels
    #[arg(long, conflicts_with = "workload")]
    pub criteria: bool,

    /// What the target speaks [default: that of --target, else rest; of the event log grpc]
    #[arg(long, value_enum)]
    pub protocol: Option<Interface>,

    /// Requests in flight, at most with --rate [default: 50; balance-levels has its own]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,

    /// Connections that carry them [default: rest: one per request in flight or stream; grpc: 10 at most]
    #[arg(long, value_name = "N")]
    pub connections: Option<usize>,

    /// Requests a second on a fixed schedule (open loop); of a stream: events a second asked of the server; consume and
    /// follow: records written a second [default of these two: 1000]
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,

    /// The measured window [default: 60s, that of --workload, 10s a level of balance-levels and for the event log]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,

    /// Load before the measured window [default: 5s, 2s a level of balance-levels and for the event log, 0s for streams]
    ///
    /// It is in no figure but in the counts for the audit, and in those of missed, repeated and misplaced events.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub warmup: Option<Duration>,

    /// Limit per request, and until a stream begins
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    /// Threads that make the load
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub threads: usize,

    /// A target by its name in targets.toml, on this machine's port of it
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    pub target: Option<String>,

    /// Where the target is, http:// or https:// [default: the port of the scenario's service on this machine]
    #[arg(long, value_name = "URL", value_parser = url)]
    pub url: Option<String>,

    /// Path of the calls, e.g. /api/v1/events or /package.Service/Method [default: that of the target or of the service]
    #[arg(long, value_name = "PATH", conflicts_with = "target")]
    pub path: Option<String>,

    /// The list of targets [default: load-test/targets.toml of WEIR_ROOT, else the nearest above the working directory,
    /// else above this binary]
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,

    /// Scenario ingest: size of the events
    #[arg(long, value_enum, default_value_t)]
    pub payload: Payload,

    /// Scenario ingest: merge into this many entities instead of making new ones
    #[arg(long, value_name = "N")]
    pub keys: Option<u32>,

    /// Events or records in one request. Ingest: over bulk (REST) or ProcessEvents (gRPC); produce: sent together, each
    /// answered on its own [default: ingest: one event a request; produce: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: Option<u32>,

    /// Scenario balance: number of seeded accounts to read, each as likely as the others
    #[arg(long, default_value_t = SEEDED, value_name = "N")]
    pub accounts: u32,

    /// Seed of the order of event types and of accounts
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Carried by every event, letters, digits, dot, hyphen and underscore [default: made from the time]
    #[arg(long, value_name = "LABEL", value_parser = run_id)]
    pub run_id: Option<String>,

    /// Write the result as JSON to this file, or - for standard output (instead of the summary)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the run into the metrics database; on by default where DB_HOST is set
    #[arg(long, alias = "record")]
    pub store: bool,

    /// How progress is shown
    #[arg(long, value_enum, default_value_t)]
    pub progress: ProgressMode,

    // Flattened options come last: their headings hold for what follows them.
    /// Steps, and how they are paced.
    #[command(flatten)]
    pub pacing: PacingArgs,

    /// How the target is come to.
    #[command(flatten)]
    pub client: ClientArgs,

    /// Scenario stream.
    #[command(flatten)]
    pub stream: StreamArgs,

    /// The event log.
    #[command(flatten)]
    pub log: LogArgs,

    /// A user's own services.
    #[command(flatten)]
    pub own: OwnArgs,

    /// Where the metrics database is.
    #[command(flatten)]
    pub metrics_db: MetricsDbConfig,
}

impl LoadArgs {
    /// Whether the run goes into the metrics database.
    pub fn stored(&self) -> bool {
        self.store || std::env::var_os("DB_HOST").is_some()
    }

    /// Number of the first worker.
    pub fn first_worker(&self) -> usize {
        usize::try_from(self.pacing.first_worker).unwrap_or(usize::MAX)
    }

    /// Requests in flight.
    pub fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or(50)
    }

    /// Checks that a workload makes the load that its criteria are about: with another one they would say nothing.
    ///
    /// # Errors
    /// For an option that the workload sets itself, or that takes away from its load.
    pub fn check(&self) -> Result<(), Usage> {
        let steps = !self.pacing.steps.is_empty();
        for (option, given) in [
            ("--workload", self.workload().is_some()),
            ("--duration", self.duration.is_some()),
            ("--concurrency", self.concurrency.is_some()),
            ("--connections", self.connections.is_some()),
            ("--clients", self.stream.clients.is_some()),
        ] {
            require(
                !(steps && given),
                format_args!(
                    "{option} does not go with --steps, each of which has its own: leave one of them out"
                ),
            )?;
        }
        let Some(workload) = self.workload() else {
            return Ok(());
        };
        let levels = workload == Workload::BalanceLevels;
        let stream = &self.stream;
        // Live, a stream's rate may be asked for beside that of the transactions, and is not below it.
        let rate = self.rate.is_some() && (levels || !stream.live);
        let given = [
            ("--rate", rate),
            ("--concurrency", levels && self.concurrency.is_some()),
            ("--clients", !levels && stream.clients.is_some()),
            ("--limit", !levels && stream.limit.is_some()),
            ("--feed-rate", !levels && stream.feed_rate.is_some()),
        ];
        for (option, given) in given {
            require(
                !given,
                format_args!(
                    "{option} does not go with {}, whose criteria hold for a load of its own: leave one of them out",
                    match self.criteria {
                        true => "--criteria".into(),
                        false => format!("--workload {}", workload.name()),
                    }
                ),
            )?;
        }
        Ok(())
    }

    /// The workload asked for, if any.
    pub fn workload(&self) -> Option<Workload> {
        self.criteria
            .then_some(Workload::BalanceLevels)
            .or(self.workload)
    }
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

fn url(text: &str) -> Result<String, String> {
    Place::parse(text).map(|_| text.into())
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
    fn a_workload_may_be_made_longer_but_not_lighter() {
        for (options, allowed) in [
            (
                &["--criteria", "--duration=5s", "--connections=4"][..],
                true,
            ),
            (&["--workload=low", "--duration=5s"], true),
            (&["--workload=low", "--live", "--rate=20"], true),
            (&["--rate=5", "--concurrency=5", "--clients=5"], true),
            (&["--criteria", "--rate=5"], false),
            (&["--workload=balance-levels", "--concurrency=5"], false),
            (&["--workload=low", "--rate=20"], false),
            (&["--workload=low", "--live", "--feed-rate=5"], false),
        ] {
            let line = ["benchmark"].iter().chain(options);
            let load = Cli::try_parse_from(line).unwrap().load;
            assert_eq!(load.check().is_ok(), allowed, "{options:?}");
        }
    }

    #[test]
    fn run_ids_that_would_break_a_body_are_refused() {
        for wrong in ["", "a\"b", "a b", "\u{e4}", &"x".repeat(65)] {
            assert!(run_id(wrong).is_err(), "{wrong:?}");
        }
        assert!(run_id("20261121T104205Z-3f9a.1").is_ok());
    }
}
