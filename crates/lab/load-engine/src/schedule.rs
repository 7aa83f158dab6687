//! The open loop: when requests are due, whatever became of those before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::clock::Clock;

/// The run's schedule, shared by all workers. Requests are due at equal distances. Each becomes a permit at its time,
/// and whichever worker is free takes it; permits that wait are requests that are late.
#[derive(Debug)]
pub struct Schedule {
    begun: Instant,
    /// Requests a second.
    rate: f64,
    permits: Semaphore,
    taken: AtomicU64,
}

/// The shortest sleep between two looks at the schedule: beyond 10,000 requests a second several are released at once.
const SHORTEST: Duration = Duration::from_micros(100);
/// The longest, so that the end of the load is noticed.
const LONGEST: Duration = Duration::from_millis(50);

impl Schedule {
    /// The first request is due at the start of the clock.
    pub fn new(rate: f64, clock: &Clock) -> Arc<Self> {
        Arc::new(Self {
            begun: clock.begun(),
            rate,
            permits: Semaphore::new(0),
            taken: AtomicU64::new(0),
        })
    }

    /// Waits for a request to be due and gives its number, from 0, and its time; none when the load is over. What
    /// is due by then and was not taken is never sent.
    pub async fn next(&self) -> Option<(u64, Instant)> {
        self.permits.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        Some((number, self.due(number)))
    }

    /// Releases requests at their times until the load is over. On a thread of its own: an asynchronous timer is
    /// exact to a millisecond, a sleeping thread to some ten microseconds.
    pub fn pace(&self, clock: &Clock) {
        let mut released = 0;
        loop {
            let now = Instant::now();
            let end = clock.end();
            if now >= end {
                self.permits.close();
                return;
            }
            let due = self.due_by(now);
            self.permits
                .add_permits(due.saturating_sub(released) as usize);
            released = due.max(released);
            let next = self.due(released).min(end);
            let wait = next.saturating_duration_since(Instant::now());
            std::thread::sleep(wait.clamp(SHORTEST, LONGEST));
        }
    }

    /// How many requests were due from `from` and before `to`.
    pub fn due_between(&self, from: Instant, to: Instant) -> u64 {
        let before = |at: Instant| {
            let since = at.saturating_duration_since(self.begun);
            (since.as_secs_f64() * self.rate).ceil() as u64
        };
        before(to).saturating_sub(before(from))
    }

    /// Requests that are due at `now`, from the first.
    fn due_by(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.begun);
        (since.as_secs_f64() * self.rate) as u64 + 1
    }

    fn due(&self, number: u64) -> Instant {
        self.begun + Duration::from_secs_f64(number as f64 / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_due_at_equal_distances_and_never_after_the_end() {
        let clock = Arc::new(Clock::start(Duration::ZERO, Duration::from_millis(100)));
        let schedule = Schedule::new(1000.0, &clock);
        let pacer = {
            let (schedule, clock) = (Arc::clone(&schedule), Arc::clone(&clock));
            std::thread::spawn(move || schedule.pace(&clock))
        };
        let mut due = Vec::new();
        while let Some((_, at)) = schedule.next().await {
            assert!(Instant::now() >= at);
            due.push(at);
        }
        pacer.join().unwrap();
        for pair in due.windows(2) {
            let distance = (pair[1] - pair[0]).as_nanos();
            assert!((999_000..=1_001_000).contains(&distance), "{distance} ns");
        }
        assert!(due.len() > 50 && due.len() <= 100, "{}", due.len());
        assert_eq!(schedule.due_between(clock.begun(), clock.end()), 100);
        let half = clock.begun() + Duration::from_millis(50);
        assert_eq!(schedule.due_between(half, clock.end()), 50);
    }
}
