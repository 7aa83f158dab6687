//! Bodies that have not come whole: how slow they may be, and how many bytes of them there may be over all connections.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::settings::ConnectionPolicy;

/// The limits of unfinished bodies, and how much of them there is. Cheap to clone; one for all connections.
#[derive(Clone, Debug)]
pub struct Unfinished(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Every so long...
    window: Duration,
    /// ...this many bytes must come.
    bytes_in_window: u64,
    most_bytes: usize,
    bytes: AtomicUsize,
}

/// There are too many bytes of unfinished bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Unfinished {
    /// No body yet.
    pub fn new(policy: &ConnectionPolicy) -> Self {
        let bytes = policy.body_timeout.as_secs_f64() * f64::from(policy.body_min_rate);
        Self(Arc::new(Shared {
            window: policy.body_timeout,
            bytes_in_window: bytes.ceil() as u64,
            most_bytes: policy.max_unfinished_bytes,
            bytes: AtomicUsize::new(0),
        }))
    }

    /// Bytes of unfinished bodies.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// A body that begins.
    pub fn begin(&self) -> Body {
        Body {
            unfinished: self.clone(),
            held: 0,
            came: 0,
            timer: None,
        }
    }
}

/// A body that has not come whole. What it holds is given back when this is dropped.
#[derive(Debug)]
pub struct Body {
    unfinished: Unfinished,
    held: usize,
    /// Bytes since the timer was set.
    came: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body {
    /// Notes that `bytes` more have come.
    pub fn came(&mut self, bytes: usize) {
        self.came += bytes as u64;
    }

    /// Holds `bytes` in all.
    ///
    /// # Errors
    /// There is no room for them; it holds what it held.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Full> {
        let shared = &self.unfinished.0;
        if bytes <= self.held {
            shared.bytes.fetch_sub(self.held - bytes, Ordering::Relaxed);
        } else {
            let more = bytes - self.held;
            let before = shared.bytes.fetch_add(more, Ordering::Relaxed);
            if before.saturating_add(more) > shared.most_bytes {
                shared.bytes.fetch_sub(more, Ordering::Relaxed);
                return Err(Full);
            }
        }
        self.held = bytes;
        Ok(())
    }

    /// Ready when the body is too slow. Ask only when nothing came; a body that comes at once sets no timer.
    pub fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = &self.unfinished.0;
        loop {
            let end = || Instant::now() + shared.window;
            let timer = match &mut self.timer {
                Some(timer) => timer,
                none => {
                    self.came = 0;
                    none.insert(Box::pin(sleep_until(end())))
                }
            };
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if self.came < shared.bytes_in_window {
                return Poll::Ready(());
            }
            self.came = 0;
            timer.as_mut().reset(end());
        }
    }

    /// Stops the time: the client owes nothing now.
    pub fn rest(&mut self) {
        self.timer = None;
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.unfinished
            .0
            .bytes
            .fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn unfinished() -> Unfinished {
        Unfinished::new(&ConnectionPolicy {
            body_timeout: Duration::from_secs(10),
            body_min_rate: 100,
            max_unfinished_bytes: 1000,
            ..ConnectionPolicy::default()
        })
    }

    /// How long a body may go on that brings `came` bytes in its first window, and none later.
    async fn patience_with(came: usize) -> u64 {
        let mut body = unfinished().begin();
        let begun = Instant::now();
        let mut owed = Some(came);
        poll_fn(|cx| {
            let late = body.poll_late(cx);
            if let Some(came) = owed.take() {
                body.came(came);
            }
            late
        })
        .await;
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_is_late_after_the_window_that_brought_too_little() {
        for (came, seconds) in [(0, 10), (999, 10), (1000, 20), (1_000_000, 20)] {
            assert_eq!(patience_with(came).await, seconds, "{came}");
        }
    }

    #[test]
    fn bytes_are_bounded_over_all_bodies_and_given_back() {
        let all = unfinished();
        let (mut one, mut two) = (all.begin(), all.begin());
        assert_eq!(one.hold(600), Ok(()));
        assert_eq!(two.hold(401), Err(Full));
        assert_eq!(two.hold(400), Ok(()));
        assert_eq!(one.hold(601), Err(Full));
        assert_eq!(one.hold(100), Ok(()));
        assert_eq!(two.hold(900), Ok(()));
        drop(one);
        assert_eq!(all.bytes(), 900);
        drop(two);
        assert_eq!(all.bytes(), 0);
    }
}
