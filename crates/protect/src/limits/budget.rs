//! What one caller has left.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::refusal::Refusal;

/// The limits of one caller; `None`: without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Events per second, at once as many as fit into one second; a bulk request of N events counts N.
    pub events_per_second: Option<NonZeroU32>,
    /// Bytes of request bodies per second.
    pub bytes_per_second: Option<NonZeroU32>,
    /// Streams open at a time.
    pub streams: Option<NonZeroU32>,
    /// Connections open at a time. A connection counts for each principal that has made a call on it.
    pub connections: Option<NonZeroU32>,
}

/// What one caller has left. Shared by all its calls.
#[derive(Debug)]
pub struct Budget {
    events: Option<Bucket>,
    bytes: Option<Bucket>,
    streams: Option<Places>,
    connections: Option<Places>,
}

impl Budget {
    /// Full.
    pub fn new(limits: &Limits) -> Self {
        Self {
            events: limits.events_per_second.map(|n| Bucket::new(n, "events")),
            bytes: limits.bytes_per_second.map(|n| Bucket::new(n, "bytes")),
            streams: limits.streams.map(Places::new),
            connections: limits.connections.map(Places::new),
        }
    }

    /// Takes `count` events.
    ///
    /// # Errors
    /// Fewer are left; nothing is taken then.
    pub fn take_events(&self, count: u64) -> Result<(), Refusal> {
        self.events
            .as_ref()
            .map_or(Ok(()), |bucket| bucket.take(count))
    }

    /// Takes `count` bytes of a request's body.
    ///
    /// # Errors
    /// Fewer are left; nothing is taken then.
    pub fn take_bytes(&self, count: u64) -> Result<(), Refusal> {
        self.bytes
            .as_ref()
            .map_or(Ok(()), |bucket| bucket.take(count))
    }

    /// Waits until one event is left, and takes it: for streams, whose sender can be held back.
    pub async fn event(&self) {
        if let Some(bucket) = &self.events {
            bucket.wait_for(1).await;
        }
    }

    /// Waits until `count` bytes are left, or as many as ever are, and takes them: for streams, whose sender can be held back.
    pub async fn bytes(&self, count: u64) {
        if let Some(bucket) = &self.bytes {
            bucket
                .wait_for(u32::try_from(count).unwrap_or(u32::MAX))
                .await;
        }
    }

    /// Whether bytes are limited.
    pub fn counts_bytes(&self) -> bool {
        self.bytes.is_some()
    }

    /// Counts one more stream until the place is dropped; `None`: streams are not limited.
    ///
    /// # Errors
    /// The limit is reached.
    pub fn open_stream(self: &Arc<Self>) -> Result<Option<Place>, Refusal> {
        let Some(streams) = &self.streams else {
            return Ok(None);
        };
        match streams.take() {
            Ok(()) => Ok(Some(Place {
                budget: Arc::clone(self),
                of: |budget| budget.streams.as_ref(),
            })),
            Err(limit) => Err(Refusal::Streams { limit }),
        }
    }

    /// Whether connections are limited.
    pub fn counts_connections(&self) -> bool {
        self.connections.is_some()
    }

    /// Counts one more connection until the place is dropped; `None`: connections are not limited.
    ///
    /// # Errors
    /// The limit: as many are open as may be.
    pub fn open_connection(self: &Arc<Self>) -> Result<Option<Place>, u32> {
        let Some(connections) = &self.connections else {
            return Ok(None);
        };
        connections.take()?;
        Ok(Some(Place {
            budget: Arc::clone(self),
            of: |budget| budget.connections.as_ref(),
        }))
    }
}

/// A token bucket that holds one second's allowance.
#[derive(Debug)]
struct Bucket {
    limit: NonZeroU32,
    unit: &'static str,
    tokens: DefaultDirectRateLimiter,
}

impl Bucket {
    fn new(limit: NonZeroU32, unit: &'static str) -> Self {
        Self {
            limit,
            unit,
            tokens: RateLimiter::direct(Quota::per_second(limit)),
        }
    }

    fn take(&self, asked: u64) -> Result<(), Refusal> {
        let too_much = || Refusal::TooMuchAtOnce {
            asked,
            limit: self.limit.get(),
            unit: self.unit,
        };
        if asked == 0 {
            return Ok(());
        }
        let count = u32::try_from(asked).ok().and_then(NonZeroU32::new);
        match self.tokens.check_n(count.ok_or_else(too_much)?) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Err(Refusal::Rate {
                    limit: self.limit.get(),
                    unit: self.unit,
                    retry_after_s: u32::try_from(whole.max(1)).unwrap_or(u32::MAX),
                })
            }
            Err(_) => Err(too_much()),
        }
    }

    async fn wait_for(&self, count: u32) {
        let Some(count) = NonZeroU32::new(count.min(self.limit.get())) else {
            return;
        };
        while let Ok(Err(not_until)) = self.tokens.check_n(count) {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

/// Places that are taken and given back.
#[derive(Debug)]
struct Places {
    limit: u32,
    taken: AtomicU32,
}

impl Places {
    fn new(limit: NonZeroU32) -> Self {
        Self {
            limit: limit.get(),
            taken: AtomicU32::new(0),
        }
    }

    /// `Err(limit)`: none is free.
    fn take(&self) -> Result<(), u32> {
        let one_more = |taken| (taken < self.limit).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more)
            .map(drop)
            .map_err(|_| self.limit)
    }
}

/// A place that is given back when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Place {
    budget: Arc<Budget>,
    of: fn(&Budget) -> Option<&Places>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(places) = (self.of)(&self.budget) {
            places.taken.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(events: u32, bytes: u32, streams: u32) -> Arc<Budget> {
        Arc::new(Budget::new(&Limits {
            events_per_second: NonZeroU32::new(events),
            bytes_per_second: NonZeroU32::new(bytes),
            streams: NonZeroU32::new(streams),
            connections: None,
        }))
    }

    #[test]
    fn a_bulk_request_counts_its_events() {
        let budget = budget(10, 0, 0);
        budget.take_events(9).expect("within the second");
        budget.take_events(1).expect("the tenth");
        let refused = budget
            .take_events(10)
            .expect_err("the eleventh to twentieth");
        assert!(
            matches!(
                refused,
                Refusal::Rate {
                    limit: 10,
                    unit: "events",
                    retry_after_s: 1
                }
            ),
            "{refused:?}"
        );
        budget.take_bytes(1 << 40).expect("bytes are not limited");
    }

    #[test]
    fn a_call_that_can_never_fit_says_so() {
        let budget = budget(10, 1000, 0);
        for asked in [11, 1 << 40] {
            let refused = budget.take_events(asked).expect_err("never fits");
            assert!(matches!(refused, Refusal::TooMuchAtOnce { limit: 10, .. }));
            assert_eq!(refused.retry_after_s(), Some(1));
        }
        budget.take_events(10).expect("nothing was taken before");
        assert!(budget.take_bytes(1001).is_err());
    }

    #[test]
    fn streams_are_counted_until_they_end() {
        let budget = budget(0, 0, 2);
        let first = budget.open_stream().expect("one");
        let second = budget.open_stream().expect("two");
        assert_eq!(
            budget.open_stream().err(),
            Some(Refusal::Streams { limit: 2 })
        );
        drop(first);
        let third = budget.open_stream().expect("one was given back");
        assert!(budget.open_stream().is_err());
        drop((second, third));
    }

    #[tokio::test]
    async fn a_stream_is_held_back_to_its_rate() {
        let budget = budget(200, 0, 0);
        let begun = std::time::Instant::now();
        // 200 at once, then 100 more at 200 a second.
        for _ in 0..300 {
            budget.event().await;
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(450), "{took:?}");
    }
}
