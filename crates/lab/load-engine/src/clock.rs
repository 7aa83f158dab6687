//! The three parts of a run on one clock: warm-up, the measured window, and what comes after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// Where a moment lies in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before the measured window; counted for the audit, not in any figure.
    WarmUp,
    /// Inside the measured window.
    Measured,
    /// The load has ended; answers to what is still in flight are awaited.
    Over,
}

/// The run's time table, shared by all threads. Only the end can move, and only to an earlier moment.
#[derive(Debug)]
pub struct Clock {
    start: Instant,
    started_at: OffsetDateTime,
    measured_from: Instant,
    planned_us: u64,
    end_us: AtomicU64,
}

impl Clock {
    /// Starts the clock: the window begins after `warmup` and lasts for `duration`.
    pub fn start(warmup: Duration, duration: Duration) -> Self {
        let start = Instant::now();
        let end_us = micros(warmup + duration);
        Self {
            start,
            started_at: OffsetDateTime::now_utc(),
            measured_from: start + warmup,
            planned_us: end_us,
            end_us: AtomicU64::new(end_us),
        }
    }

    /// The part of the run that `at` belongs to.
    pub fn part(&self, at: Instant) -> Part {
        if micros(at.saturating_duration_since(self.start)) >= self.end_us.load(Ordering::Relaxed) {
            Part::Over
        } else if at < self.measured_from {
            Part::WarmUp
        } else {
            Part::Measured
        }
    }

    /// When the warm-up begins.
    pub fn begun(&self) -> Instant {
        self.start
    }

    /// When the warm-up begins, by the wall clock.
    pub fn started_at(&self) -> OffsetDateTime {
        self.started_at
    }

    /// When the measured window begins.
    pub fn measured_from(&self) -> Instant {
        self.measured_from
    }

    /// When the load ends.
    pub fn end(&self) -> Instant {
        self.start + Duration::from_micros(self.end_us.load(Ordering::Relaxed))
    }

    /// Ends the load now, if it has not ended yet.
    pub fn stop(&self) {
        self.end_us
            .fetch_min(micros(self.start.elapsed()), Ordering::Relaxed);
    }

    /// Planned length of warm-up and window together, or less after [`Self::stop`].
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.end_us.load(Ordering::Relaxed))
    }

    /// Whether [`Self::stop`] came before the planned end.
    pub fn stopped_early(&self) -> bool {
        self.end_us.load(Ordering::Relaxed) < self.planned_us
    }

    /// Time since the start of the warm-up.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other() {
        let clock = Clock::start(Duration::from_secs(5), Duration::from_secs(10));
        let at =
            |seconds| clock.measured_from() - Duration::from_secs(5) + Duration::from_secs(seconds);
        assert_eq!(clock.part(at(0)), Part::WarmUp);
        assert_eq!(clock.part(at(5)), Part::Measured);
        assert_eq!(clock.part(at(14)), Part::Measured);
        assert_eq!(clock.part(at(15)), Part::Over);
    }

    #[test]
    fn stop_moves_the_end_forward_and_never_back() {
        let clock = Clock::start(Duration::ZERO, Duration::from_secs(10));
        clock.stop();
        let end = clock.end();
        assert!(end <= Instant::now());
        clock.stop();
        assert_eq!(clock.end(), end);
    }
}
