//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit};

use crate::logs::LogKind;
use crate::pairs::{Group, Ratio};
use crate::rates::{Rate, RateKind};
use crate::streams::StreamKind;
use load_engine::events::EventPlan;
use load_engine::events::attributes::Payload;
use load_engine::plan::Timing;
use load_engine::usage::{Usage, require};

/// Open files that are needed beside the connections of subscribers.
const OTHER_FILES: u64 = 256;

/// Measures the services against pgbench, against other designs, and against their bounds.
///
/// Starts a PostgreSQL of its own (fsync and synchronous_commit on) and the services, one at a time, and
/// needs nothing else on the machine. Exit status 1 when a figure misses its bound or an event is lost.
#[derive(Clone, Debug, Parser)]
#[command(name = "ratios", version, max_term_width = 100)]
pub struct RatioArgs {
    /// What to measure
    #[arg(value_enum, default_value_t, value_name = "WHAT")]
    pub what: Group,

    /// Pairs per ratio; the median of at least 5 counts
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub pairs: u32,

    /// Measured seconds per side
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub seconds: u32,

    /// Seconds of warm-up per side
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub warmup: u32,

    /// Only these ratios, separated by commas; implies neither stream nor log
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RATIO")]
    pub only: Vec<Ratio>,

    /// Entities that the events repeat over
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1000..))]
    pub keys: u32,

    /// Requests in flight
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub concurrency: usize,

    /// Connections that carry them over gRPC; over REST each has its own
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub grpc_connections: usize,

    /// Clients of pgbench
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=250))]
    pub pgbench_clients: u32,

    /// Bulk: events in one request
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batch: u32,

    /// Bulk: requests in flight; over gRPC on up to --grpc-connections
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub bulk_concurrency: u32,

    /// Bulk: clients of pgbench that make multi-row upserts
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=250))]
    pub multi_row_clients: u32,

    /// Balance: requests in flight, and clients of pgbench beside it
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=250))]
    pub balance_concurrency: u32,

    /// Balance over gRPC: connections that carry them
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=250))]
    pub balance_grpc_connections: u32,

    /// Stream: subscribers of a face, live
    #[arg(long, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub subscribers: u32,

    /// Crowd: subscribers of a face, live
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9000))]
    pub crowd: u32,

    /// Crowd: idle subscribers of a face; they get an event every two seconds
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub idle_subscribers: u32,

    /// Stream: live transactions a second
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub feed_rate: u32,

    /// Stream: connections that insert them
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub feed_connections: u32,

    /// Stream: events that are replayed, the 100,000 seeded ones among them
    #[arg(long, default_value_t = 500_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100_000..=10_000_000))]
    pub replay_events: u32,

    /// Stream: threads that read
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub stream_threads: u32,

    /// Log: entries that are verified and read, and that the Python program appends
    #[arg(long, default_value_t = 50_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..=10_000_000))]
    pub log_entries: u64,

    /// Rates: requests a second, separated by commas; 'full' for as many as are answered
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "100,1000,5000,10000,full",
        value_name = "RATE"
    )]
    pub rates: Vec<Rate>,

    /// DATABASE_POOL_SIZE of the services
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub pool_size: u32,

    /// The checkout: where postgres/settings.conf and .tools/env are, and results go
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub root: PathBuf,

    /// Where the services' binaries are [default: beside this one]
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,

    /// Where the database goes while it is needed, on a disk [default: .weir/ratios, or /var/tmp as root]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Where ratios.json and ratios.md go [default: load-test/results/ratios-TIME]
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,

    /// Measure debug builds too: for trying the command out, the figures mean nothing
    #[arg(long)]
    pub allow_debug: bool,
}

impl RatioArgs {
    /// Checks what single options cannot know: it would show only after minutes.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> Result<(), Usage> {
        self.check_open_files()?;
        let concurrency = self.concurrency;
        require(concurrency > 0, "--concurrency must be at least 1")?;
        require(
            self.grpc_connections > 0,
            "--grpc-connections must be at least 1",
        )?;
        let ratios = self.ratios();
        let writes = [Group::Ingest, Group::Bulk, Group::Protection];
        if ratios.iter().any(|ratio| ratio.group() == Group::Bulk) {
            let events = self.events("", Some(self.batch));
            events.check(self.bulk_concurrency as usize)?;
        }
        let by_rate = !self.rate_steps().is_empty();
        if !by_rate && !ratios.iter().any(|ratio| writes.contains(&ratio.group())) {
            return Ok(());
        }
        require(
            self.grpc_connections <= concurrency,
            format_args!("--grpc-connections must be 1 to --concurrency ({concurrency})"),
        )?;
        self.events("", None).check(concurrency)
    }

    /// This process is the client of all subscribers, and each over SSE has a connection of its own.
    fn check_open_files(&self) -> Result<(), Usage> {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(_, most)| most);
        for (option, subscribers) in [
            ("--crowd", self.crowd),
            ("--idle-subscribers", self.idle_subscribers),
        ] {
            let fits = u64::from(subscribers) + OTHER_FILES <= limit;
            let crowded = self.streams().iter().any(|it| it.group() == Group::Crowd);
            require(
                fits || !crowded,
                format_args!(
                    "{option} {subscribers} is more than the limit of {limit} open files allows: raise the limit \
                     (ulimit -Hn), or give fewer"
                ),
            )?;
        }
        Ok(())
    }

    /// The events of ingestion.
    pub(crate) fn events(&self, run_id: &str, batch: Option<u32>) -> EventPlan {
        EventPlan {
            payload: Payload::Default,
            run_id: run_id.into(),
            seed: 1,
            keys: Some(self.keys),
            batch,
            attributes: Default::default(),
        }
    }

    /// Length of the measured window.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }

    /// Length of the warm-up.
    pub fn warmup(&self) -> Duration {
        Duration::from_secs(self.warmup.into())
    }

    /// How long a load lasts that `threads` make.
    pub fn timing(&self, threads: usize) -> Timing {
        Timing {
            threads,
            warmup: self.warmup(),
            duration: self.window(),
        }
    }

    /// The ratios to measure, each once, in the order of the table.
    pub fn ratios(&self) -> Vec<Ratio> {
        let wanted = |ratio: &Ratio| match self.only.is_empty() {
            true => self.what.holds(ratio.group()),
            false => self.only.contains(ratio),
        };
        Ratio::ALL.into_iter().filter(wanted).collect()
    }

    /// What is measured at which rates, each once, in the order of the table: loads that are compared run directly after
    /// each other.
    pub(crate) fn rate_steps(&self) -> Vec<(RateKind, Rate)> {
        if !(self.only.is_empty() && self.what.holds(Group::Rates)) {
            return Vec::new();
        }
        let mut rates = self.rates.clone();
        rates.sort_unstable();
        rates.dedup();
        let kinds = RateKind::all();
        let steps = kinds.chunk_by(|one, other| one.is_beside(*other));
        steps
            .flat_map(|beside| {
                let at = |rate: &Rate| beside.iter().map(|kind| (*kind, *rate)).collect::<Vec<_>>();
                rates.iter().flat_map(at).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The measurements of the event log, in the order of the table.
    pub(crate) fn logs(&self) -> Vec<LogKind> {
        match self.only.is_empty() && self.what.holds(Group::Log) {
            true => LogKind::ALL.into(),
            false => Vec::new(),
        }
    }

    /// The subscriptions to measure, in the order of the table.
    pub(crate) fn streams(&self) -> Vec<StreamKind> {
        let wanted = |kind: &StreamKind| self.only.is_empty() && self.what.holds(kind.group());
        StreamKind::ALL.into_iter().filter(wanted).collect()
    }
}
