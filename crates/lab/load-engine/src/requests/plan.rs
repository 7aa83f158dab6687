//! What a load of requests needs to know.

use std::time::{Duration, Instant};

use crate::protocol::{Endpoint, Protocol, Wording};
use crate::usage::{Usage, require};
use crate::work::Work;

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the target speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// The path of the calls; see [`Work::default_path`].
    pub path: String,
    /// Requests in flight.
    pub concurrency: usize,
    /// Connections that carry them; REST has one request in flight on each.
    pub connections: usize,
    /// Threads that make the load.
    pub threads: usize,
    /// Load before the measured window.
    pub warmup: Duration,
    /// The measured window.
    pub duration: Duration,
    /// Limit per request.
    pub timeout: Duration,
    /// Open loop: requests a second, whatever the answers do; none: closed loop.
    pub rate: Option<f64>,
    /// What is asked.
    pub work: Work,
    /// When the load begins, pauses and ends, beyond the above.
    pub pacing: Pacing,
}

/// What a load that is one of several, or that somebody else waits for, is told besides. The default changes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pacing {
    /// The window begins at this moment, and the warm-up lasts from the last connection until then; none: after `warmup`.
    pub measured_from: Option<Instant>,
    /// A worker pauses for so long after each answer, in a closed loop.
    pub think_time: Duration,
    /// The load ends after so many requests, if that comes before its time; in a closed loop.
    pub requests: Option<u64>,
    /// Number of the first worker: loads of one run that follow each other have workers of different numbers, and so
    /// different ids.
    pub first_worker: usize,
}

impl Plan {
    /// Checks what the parts alone cannot know.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> Result<(), Usage> {
        let Self {
            concurrency,
            connections,
            threads,
            ..
        } = *self;
        require(concurrency > 0, "--concurrency must be at least 1")?;
        require(!self.duration.is_zero(), "--duration must be more than 0")?;
        require(!self.timeout.is_zero(), "--timeout must be more than 0")?;
        require(
            (1..=concurrency).contains(&connections),
            format_args!("--connections must be 1 to --concurrency ({concurrency})"),
        )?;
        require(
            self.protocol == Protocol::Grpc || connections == concurrency,
            "over REST a connection carries one request at a time: --connections must equal --concurrency",
        )?;
        require(
            (1..=connections).contains(&threads),
            format_args!("--threads must be 1 to --connections ({connections})"),
        )?;
        require(
            self.rate.is_none_or(|rate| (0.01..=1e6).contains(&rate)),
            "--rate must be 0.01 to 1000000 requests a second",
        )?;
        require(
            self.rate.is_none()
                || (self.pacing.requests.is_none() && self.pacing.think_time.is_zero()),
            "--rate sends on a schedule: leave out --requests and --think-time",
        )?;
        require(
            self.pacing.requests != Some(0),
            "--requests must be at least 1",
        )?;
        self.work.check(self.pacing.first_worker + concurrency)
    }

    pub(super) fn wording(&self) -> Wording<'_> {
        Wording {
            protocol: self.protocol,
            endpoint: &self.endpoint,
            path: &self.path,
        }
    }
}
