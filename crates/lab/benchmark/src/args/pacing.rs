//! Options of loads of requests that follow each other, or that somebody else waits for.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use load_engine::usage::{Usage, require};

/// The highest number of a first worker.
const MOST_WORKERS: i64 = 1_000_000;

/// Steps, and how they are paced.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scenarios ingest, balance, log and stream: steps and pacing")]
pub struct PacingArgs {
    /// Several loads one after the other, as REQUESTS_IN_FLIGHTxTIME (stream: SUBSCRIBERSxTIME), each with a connection a
    /// request in flight; e.g. 10x30s,50x30s
    #[arg(long, value_name = "STEP,...", value_delimiter = ',', value_parser = step)]
    pub steps: Vec<Step>,

    /// Between two steps: connections are opened, and the rest is load that is not measured
    #[arg(long, default_value = "3s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub pause: Duration,

    /// Begin the first measured window at this moment, microseconds since 1970; the load before it is the warm-up
    #[arg(long, value_name = "MICROSECONDS")]
    pub begin_at: Option<u64>,

    /// Number of the first worker: of several generators that make one load, each has numbers of its own, and so ids of its own
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(..=MOST_WORKERS))]
    pub first_worker: u32,

    /// End as after Ctrl-C once standard input has ended: whoever started this is gone
    #[arg(long)]
    pub stop_on_eof: bool,

    /// Pause after each answer, in a closed loop
    #[arg(long, default_value = "0s", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub think_time: Duration,

    /// End after N requests, if that comes before the end of the time
    #[arg(long, value_name = "N")]
    pub requests: Option<u64>,
}

/// One of several loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Requests in flight, and connections.
    pub concurrency: usize,
    /// Measured time.
    pub duration: Duration,
}

fn step(text: &str) -> Result<Step, String> {
    let wrong = || "expected REQUESTS_IN_FLIGHTxTIME, such as 50x30s".to_owned();
    let (concurrency, duration) = text.split_once('x').ok_or_else(wrong)?;
    Ok(Step {
        concurrency: concurrency.trim().parse().map_err(|_| wrong())?,
        duration: humantime::parse_duration(duration.trim()).map_err(|_| wrong())?,
    })
}

impl PacingArgs {
    /// The moment of `begin_at` on this process's clock.
    ///
    /// # Errors
    /// It is over.
    pub fn begin(&self) -> Result<Option<Instant>, Usage> {
        let Some(micros) = self.begin_at else {
            return Ok(None);
        };
        let at = UNIX_EPOCH + Duration::from_micros(micros);
        let left = at.duration_since(SystemTime::now()).ok();
        require(left.is_some(), "--begin-at is over: name a moment to come")?;
        Ok(left.map(|left| Instant::now() + left))
    }

    /// Whether any of it is given.
    pub fn is_given(&self) -> bool {
        !self.steps.is_empty() || self.begin_at.is_some() || self.is_of_requests()
    }

    /// Whether something is given that streams do not have.
    pub fn is_of_requests(&self) -> bool {
        !self.think_time.is_zero() || self.requests.is_some() || self.first_worker > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_requests_in_flight_and_a_time() {
        let expected = Step {
            concurrency: 50,
            duration: Duration::from_millis(1500),
        };
        assert_eq!(step("50x1500ms"), Ok(expected));
        for wrong in ["", "50", "x5s", "ax5s", "5x"] {
            assert!(step(wrong).is_err(), "{wrong}");
        }
    }
}
