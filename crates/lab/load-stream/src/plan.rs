//! What a run of subscribers needs to know.

use std::time::{Duration, Instant};

use crate::database_url::DatabaseUrl;
use load_engine::plan::{Route, Timing};
use load_engine::protocol::Protocol;
use load_engine::usage::{Usage, require};

/// The first of the transactions that `weir seed` makes.
pub const SEEDED_SINCE: &str = "2025-01-01T00:00:00Z";

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// What the target speaks.
    pub protocol: Protocol,
    /// Where it is; over SSE a connection carries one stream.
    pub route: Route,
    /// How long, on how many threads.
    pub timing: Timing,
    /// The path of the stream.
    pub path: String,
    /// The label of the run; live transactions carry it.
    pub run_id: String,
    /// Subscribers.
    pub clients: usize,
    /// The window begins at this moment, and the warm-up lasts from the last subscription until then; none: after the warm-up
    /// of `timing`.
    pub measured_from: Option<Instant>,
    /// Replay from this time on; none: live only.
    pub since: Option<String>,
    /// Events a second asked of the server.
    pub rate: Option<u32>,
    /// Events after which the server is asked to end each stream.
    pub limit: Option<u64>,
    /// Live transactions to insert meanwhile.
    pub live: Option<LivePlan>,
    /// Subscribers beside `clients` that read slowly; of a live run.
    pub slow: Option<SlowPlan>,
}

/// Subscribers that read slowly, each on a connection of its own. They are in no figure of the others.
#[derive(Clone, Copy, Debug)]
pub struct SlowPlan {
    /// How many.
    pub clients: usize,
    /// Events a second that each of them reads at most.
    pub events_per_second: f64,
}

/// Live transactions.
#[derive(Clone, Debug)]
pub struct LivePlan {
    /// The application database.
    pub database_url: DatabaseUrl,
    /// Transactions a second, each committed alone.
    pub rate: f64,
    /// Connections that insert them.
    pub connections: usize,
}

impl StreamPlan {
    /// Checks what the parts alone cannot know.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> Result<(), Usage> {
        let clients = self.clients;
        require(clients > 0, "--clients must be at least 1")?;
        self.timing.check()?;
        self.route.check("--clients", clients)?;
        require(
            self.protocol == Protocol::Grpc || self.route.connections == clients,
            "over SSE a connection carries one stream: --connections must equal --clients",
        )?;
        self.route.check_threads(self.timing.threads)?;
        require(
            self.rate != Some(0),
            "--rate must be at least 1 event a second",
        )?;
        if let Some(slow) = &self.slow {
            require(
                self.live.is_some(),
                "--slow-clients needs --live: how far they are behind follows from the commits",
            )?;
            require(slow.clients > 0, "--slow-clients must be at least 1")?;
            require(
                (0.01..=1e6).contains(&slow.events_per_second),
                "--slow-rate must be 0.01 to 1000000 events a second",
            )?;
        }
        if let Some(live) = &self.live {
            require(
                self.limit.is_none(),
                "--limit ends a stream, and --live waits for all transactions: use one of them",
            )?;
            require(
                self.rate.is_none_or(|rate| f64::from(rate) >= live.rate),
                format_args!(
                    "--rate must not be below --feed-rate ({}): the streams would fall behind",
                    live.rate
                ),
            )?;
            require(
                (0.1..=100_000.0).contains(&live.rate),
                "--feed-rate must be 0.1 to 100000 transactions a second",
            )?;
            require(
                (1..=100).contains(&live.connections),
                "--feed-connections must be 1 to 100",
            )?;
        }
        Ok(())
    }

    /// The longest that the load before the window can be, if it began now.
    pub(super) fn longest_warmup(&self) -> Duration {
        match self.measured_from {
            Some(at) => at.saturating_duration_since(Instant::now()),
            None => self.timing.warmup,
        }
    }

    /// Events a second that each subscriber should have, where that is known.
    pub fn expected_rate(&self) -> Option<f64> {
        match (&self.live, self.rate) {
            (Some(live), None) => Some(live.rate),
            (Some(live), Some(rate)) => Some(live.rate.min(rate.into())),
            (None, rate) => rate.map(f64::from),
        }
    }
}
