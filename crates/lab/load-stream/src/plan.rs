//! What a run of subscribers needs to know.

use std::time::Duration;

use crate::database_url::DatabaseUrl;
use load_engine::protocol::{Endpoint, Protocol};
use load_engine::usage::{Usage, require};

/// The first of the transactions that `weir seed` makes.
pub const SEEDED_SINCE: &str = "2025-01-01T00:00:00Z";

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// What the target speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// The path of the stream.
    pub path: String,
    /// The label of the run; live transactions carry it.
    pub run_id: String,
    /// Subscribers.
    pub clients: usize,
    /// Connections that carry them; over SSE each has its own.
    pub connections: usize,
    /// Threads that read.
    pub threads: usize,
    /// Before the measured window: events are checked, and in no figure.
    pub warmup: Duration,
    /// The measured window.
    pub duration: Duration,
    /// Until a connection is there, and until a stream begins.
    pub timeout: Duration,
    /// Replay from this time on; none: live only.
    pub since: Option<String>,
    /// Events a second asked of the server.
    pub rate: Option<u32>,
    /// Events after which the server is asked to end each stream.
    pub limit: Option<u64>,
    /// Live transactions to insert meanwhile.
    pub live: Option<LivePlan>,
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
        let Self {
            clients,
            connections,
            threads,
            ..
        } = *self;
        require(clients > 0, "--clients must be at least 1")?;
        require(!self.duration.is_zero(), "--duration must be more than 0")?;
        require(!self.timeout.is_zero(), "--timeout must be more than 0")?;
        require(
            (1..=clients).contains(&connections),
            format_args!("--connections must be 1 to --clients ({clients})"),
        )?;
        require(
            self.protocol == Protocol::Grpc || connections == clients,
            "over SSE a connection carries one stream: --connections must equal --clients",
        )?;
        require(
            (1..=connections).contains(&threads),
            format_args!("--threads must be 1 to --connections ({connections})"),
        )?;
        require(
            self.rate != Some(0),
            "--rate must be at least 1 event a second",
        )?;
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

    /// Events a second that each subscriber should have, where that is known.
    pub fn expected_rate(&self) -> Option<f64> {
        match (&self.live, self.rate) {
            (Some(live), None) => Some(live.rate),
            (Some(live), Some(rate)) => Some(live.rate.min(rate.into())),
            (None, rate) => rate.map(f64::from),
        }
    }
}
