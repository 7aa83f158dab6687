//! What every load is told, whatever it is made of; each kind of load adds what is asked for.

use std::time::Duration;

use crate::protocol::Endpoint;
use crate::usage::{Usage, require};

/// How long a load lasts, and the threads that make it.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Threads that make the load; of the event log in this process they do its work too.
    pub threads: usize,
    /// Load before the measured window: it is checked, and in no figure but those for the audit.
    pub warmup: Duration,
    /// The measured window.
    pub duration: Duration,
}

/// The way to a server.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Connections to it.
    pub connections: usize,
    /// Limit per request, and until a connection is there and a stream begins.
    pub timeout: Duration,
}

/// Checks the rate of a schedule, requests or records a second.
///
/// # Errors
/// It is none that a schedule can keep.
pub fn check_rate(rate: f64) -> Result<(), Usage> {
    require(
        (0.01..=1e6).contains(&rate),
        "--rate must be 0.01 to 1000000 requests a second",
    )
}

impl Timing {
    /// Checks it.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> Result<(), Usage> {
        require(!self.duration.is_zero(), "--duration must be more than 0")?;
        require(self.threads > 0, "--threads must be at least 1")
    }
}

impl Route {
    /// Checks it for a load with `in_flight` requests or streams at once, whose number is given by `option`.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self, option: &str, in_flight: usize) -> Result<(), Usage> {
        require(!self.timeout.is_zero(), "--timeout must be more than 0")?;
        require(
            (1..=in_flight).contains(&self.connections),
            format_args!("--connections must be 1 to {option} ({in_flight})"),
        )
    }

    /// Checks that every thread has a connection, where a connection belongs to one thread.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check_threads(&self, threads: usize) -> Result<(), Usage> {
        let most = self.connections;
        require(
            (1..=most).contains(&threads),
            format_args!("--threads must be 1 to --connections ({most})"),
        )
    }
}
