//! What came of a load, whatever it is made of.

use hdrhistogram::Histogram;

use crate::load::{BUSY, Window, per};

/// The value of a histogram of microseconds at `quantile` (0 to 1), milliseconds; none without any.
#[must_use]
pub fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile) as f64 / 1000.0)
}

/// The result of a load, complete or interrupted: what its kind has to say, and what follows from that.
pub trait LoadOutcome {
    /// When it was measured, and at what cost.
    fn window(&self) -> &Window;

    /// Threads that made the load.
    fn threads(&self) -> usize;

    /// What succeeded in the measured window: requests, events, entries.
    fn succeeded(&self) -> u64;

    /// What the generator did in the measured window: the share of its CPU that each cost is told of. What succeeded, unless it
    /// did more.
    fn made(&self) -> u64 {
        self.succeeded()
    }

    /// The latencies that count, microseconds.
    fn latencies(&self) -> &Histogram<u64>;

    /// Whether the generator and what it measures are one process, so that neither limits the other.
    fn in_process(&self) -> bool {
        false
    }

    /// Successes a second of the measured window.
    fn rate(&self) -> f64 {
        per(self.succeeded() as f64, self.window().seconds)
    }

    /// Latency at `quantile` (0 to 1) of the measured successes, milliseconds; none without any.
    fn latency_ms(&self, quantile: f64) -> Option<f64> {
        quantile_ms(self.latencies(), quantile)
    }

    /// Share of its threads' time that the generator used: 1 is all of it.
    fn cpu_share(&self) -> f64 {
        self.window().cpu_share(self.threads())
    }

    /// Microseconds of generator CPU for each of what it made.
    fn cpu_micros_each(&self) -> f64 {
        self.window().cpu_micros_per(self.made())
    }

    /// Whether the generator, not the target, may have been the limit.
    fn generator_limited(&self) -> bool {
        !self.in_process() && self.cpu_share() > BUSY
    }
}
