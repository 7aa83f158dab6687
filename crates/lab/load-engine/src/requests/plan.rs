//! What a load of requests needs to know.

use std::time::{Duration, Instant};

use crate::plan::{Route, Timing, check_rate};
use crate::protocol::{Protocol, Wording};
use crate::usage::{Usage, require};
use crate::work::Work;

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the target speaks.
    pub protocol: Protocol,
    /// Where it is; over REST a connection has one request in flight.
    pub route: Route,
    /// How long, on how many threads.
    pub timing: Timing,
    /// The path of the calls; see [`Work::default_path`].
    pub path: String,
    /// Requests in flight.
    pub concurrency: usize,
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
        let concurrency = self.concurrency;
        require(concurrency > 0, "--concurrency must be at least 1")?;
        self.timing.check()?;
        self.route.check("--concurrency", concurrency)?;
        require(
            self.protocol == Protocol::Grpc || self.route.connections == concurrency,
            "over REST a connection carries one request at a time: --connections must equal --concurrency",
        )?;
        self.route.check_threads(self.timing.threads)?;
        self.rate.map_or(Ok(()), check_rate)?;
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
            endpoint: &self.route.endpoint,
            path: &self.path,
        }
    }
}
