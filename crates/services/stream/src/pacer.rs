//! Limits a stream to a number of events per second.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// How long a subscriber may be late and then catch up at once, in seconds, beside the event that was due: timers are no
/// finer than a millisecond and late by one, which at 100 events a second would already cost a tenth of the rate.
const CATCH_UP_SECONDS: f64 = 0.02;

/// Hands out the right to send: one event at once, then a steady rate. What is not used is lost, but for 20 ms.
#[derive(Debug)]
pub(crate) struct Pacer {
    rate: Option<Rate>,
}

#[derive(Debug)]
struct Rate {
    per_second: f64,
    /// Events that may be sent now; below zero after a batch that was larger.
    allowed: f64,
    /// When that number was computed.
    at: Instant,
}

impl Pacer {
    /// A pacer of `per_second` events per second; `None` is unlimited.
    pub(crate) fn new(per_second: Option<NonZeroU32>) -> Self {
        let rate = |per_second: NonZeroU32| Rate {
            per_second: f64::from(per_second.get()),
            allowed: 1.0,
            at: Instant::now(),
        };
        Self {
            rate: per_second.map(rate),
        }
    }

    /// How many events may be sent now.
    pub(crate) fn allowed(&mut self) -> usize {
        let Some(rate) = &mut self.rate else {
            return usize::MAX;
        };
        let now = Instant::now();
        let earned = now.duration_since(rate.at).as_secs_f64() * rate.per_second;
        let most = 1.0 + rate.per_second * CATCH_UP_SECONDS;
        rate.allowed = (rate.allowed + earned).min(most);
        rate.at = now;
        // Not negative, and far below the greatest integer.
        rate.allowed.max(0.0) as usize
    }

    /// Records that `events` events are sent.
    pub(crate) fn spend(&mut self, events: usize) {
        if let Some(rate) = &mut self.rate {
            rate.allowed -= events as f64;
        }
    }

    /// How long until one event may be sent, as of the last [`Self::allowed`].
    pub(crate) fn wait(&self) -> Duration {
        self.rate.as_ref().map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(((1.0 - rate.allowed) / rate.per_second).max(0.0))
        })
    }

    /// Events that are worth fetching ahead: about half a second's.
    pub(crate) fn worthwhile(&self) -> usize {
        self.rate.as_ref().map_or(usize::MAX, |rate| {
            (rate.per_second / 2.0).max(16.0) as usize
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacer(rate: u32) -> Pacer {
        Pacer::new(NonZeroU32::new(rate))
    }

    /// Events sent in `span` by someone who sends whatever is allowed, waiting as told.
    async fn sent_in(pacer: &mut Pacer, span: Duration) -> usize {
        let end = Instant::now() + span;
        let mut sent = 0;
        loop {
            let allowed = pacer.allowed();
            pacer.spend(allowed);
            sent += allowed;
            tokio::time::sleep(pacer.wait().max(Duration::from_millis(1))).await;
            if Instant::now() >= end {
                return sent;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_rate_and_little_less() {
        for rate in [1, 10, 100, 1000, 10_000] {
            let sent = sent_in(&mut pacer(rate), Duration::from_secs(10)).await;
            let most = 10 * rate as usize;
            assert!(sent <= most + 1, "{rate}/s: {sent} in 10 s");
            assert!(sent >= most * 95 / 100, "{rate}/s: {sent} in 10 s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn late_timers_cost_nothing() {
        for rate in [10, 100, 1000] {
            let mut pacer = pacer(rate);
            let (mut sent, end) = (0, Instant::now() + Duration::from_secs(10));
            while Instant::now() < end {
                let allowed = pacer.allowed();
                pacer.spend(allowed);
                sent += allowed;
                tokio::time::sleep(pacer.wait() + Duration::from_millis(3)).await;
            }
            assert!(
                sent >= 10 * rate as usize * 99 / 100,
                "{rate}/s: {sent} in 10 s"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_earns_no_burst() {
        let mut pacer = pacer(1000);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(pacer.allowed(), 21);
        pacer.spend(21);
        assert_eq!(pacer.allowed(), 0);
        assert_eq!(pacer.wait(), Duration::from_millis(1));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_there_is_no_limit() {
        let mut pacer = Pacer::new(None);
        pacer.spend(1_000_000);
        assert_eq!(pacer.allowed(), usize::MAX);
        assert_eq!(pacer.wait(), Duration::ZERO);
    }
}
