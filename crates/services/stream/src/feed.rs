//! The one reader behind all subscribers: follows the numbered transactions into the ring, and numbers them if it falls to
//! this process.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use runtime::postgres::DatabaseError;
use tokio_util::sync::CancellationToken;

use crate::arrivals::{self, Arrivals};
use crate::connections::{Connections, Session};
use crate::event::Event;
use crate::metrics::StreamMetrics;
use crate::numberer::Numberer;
use crate::ring::Ring;
use crate::store::{self, Most, Range};
use crate::subscriptions::Subscriptions;

/// Longest pause between two looks while nothing happens.
const IDLE_PAUSE: Duration = Duration::from_millis(25);
/// What a publication costs for each subscriber, about: the wake-up, and a write to its connection.
const TURN: Duration = Duration::from_micros(20);
/// Pause before the first try to reach a database that is gone, doubled from try to try.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// Longest pause between two such tries.
const LAST_RETRY: Duration = Duration::from_secs(1);
/// What is read at once.
const PAGE: Most = Most {
    events: 2048,
    bytes: 4 * 1024 * 1024,
};
/// A look whose transactions nobody needs.
const NOTHING: Most = Most {
    events: 0,
    bytes: 0,
};

/// Follows the numbered transactions.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) connections: Connections,
    pub(crate) ring: Arc<Ring>,
    pub(crate) arrivals: Arrivals,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) metrics: StreamMetrics,
    /// Pause between two looks while transactions arrive.
    pub(crate) interval: Duration,
    /// Set from an error until a session works again: new transactions reach nobody meanwhile.
    pub(crate) interrupted: Arc<AtomicBool>,
}

impl Feed {
    /// Runs until the stop. After an error it goes on where it was, on another session.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut pause = FIRST_RETRY;
        let mut told = String::new();
        loop {
            let error = tokio::select! {
                ended = self.session() => match ended {
                    Ok(never) => match never {},
                    Err(error) => error.chain(),
                },
                () = stop.cancelled() => break,
            };
            self.connections.close_session();
            self.metrics.leading.set(0);
            pause = if self.interrupted.swap(true, Ordering::Relaxed) {
                (pause * 2).min(LAST_RETRY)
            } else {
                told.clear();
                FIRST_RETRY
            };
            // Each cause once.
            if error == told {
                tracing::debug!(error, "new transactions still cannot be streamed");
            } else {
                tracing::warn!(
                    error,
                    "new transactions cannot be streamed: subscribers wait, and the service tries on"
                );
                told = error;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => break,
            }
        }
        self.connections.close_session();
    }

    /// One session, until it breaks.
    async fn session(&self) -> Result<Infallible, DatabaseError> {
        let session = self.connections.open_session().await?;
        let mut numberer = Numberer::new(self.metrics.clone());
        // The first look may find millions, which are not for the ring.
        let mut first = true;
        let mut pause = self.interval;
        loop {
            let most = if first || self.subscriptions.none() {
                NOTHING
            } else {
                PAGE
            };
            let (head, events) = match numberer.look(&session, most).await? {
                Some(look) if !first => {
                    self.arrivals.saw(look.snapshot);
                    (look.last, look.events)
                }
                // Another process numbers, or has done so meanwhile.
                _ => {
                    let standing = store::standing(&session).await?;
                    self.arrivals.saw(standing.snapshot);
                    (Some(standing.head), Vec::new())
                }
            };
            first = false;
            let moved = match head {
                Some(head) => self.follow(&session, head, events).await?,
                None => false,
            };
            if self.interrupted.swap(false, Ordering::Relaxed) {
                tracing::info!("new transactions are streamed again: nothing was left out");
            }
            pause = if moved {
                busy_pause(self.interval, self.subscriptions.count())
            } else {
                (pause * 2).min(IDLE_PAUSE.max(self.interval))
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Publishes what follows, up to the number `head`; whether there was any. `events` are some of it, read already.
    async fn follow(
        &self,
        session: &Session,
        head: u64,
        mut events: Vec<Event>,
    ) -> Result<bool, DatabaseError> {
        let known = self.ring.head();
        if head < known {
            tracing::error!(
                stream.head = head,
                stream.published = known,
                "transaction_log lost numbers that were given: it must only grow"
            );
            self.ring.skip_to(head);
        }
        if head <= known {
            return Ok(head < known);
        }
        let kept = if self.subscriptions.none() {
            0
        } else {
            self.ring.capacity() as u64
        };
        let after = known.max(head.saturating_sub(kept));
        if after > known {
            if let Some(oldest) = self.arrivals.oldest() {
                let runs = store::runs(session, known, after, &oldest).await?;
                self.arrivals.pass(runs);
            }
            self.ring.skip_to(after);
        }
        events.retain(|event| event.sequence() > after);
        if let (Some(first), Some(last)) = (events.first(), events.last())
            && first.sequence() == after + 1
        {
            let reached = last.sequence();
            self.publish(events, reached);
        }
        while self.ring.head() < head {
            let range = Range {
                after: self.ring.head(),
                until: head,
                most: PAGE,
            };
            let page = store::page(session, range, None).await?;
            self.metrics.feed_pages.inc();
            self.publish(page.events, page.reached);
        }
        self.metrics
            .head
            .set(i64::try_from(head).unwrap_or(i64::MAX));
        Ok(true)
    }

    /// Publishes events up to the number `reached`.
    fn publish(&self, events: Vec<Event>, reached: u64) {
        if self.arrivals.oldest().is_some() {
            self.arrivals.pass(arrivals::runs(&events));
        }
        self.ring.publish(events, reached);
    }
}

/// Pause between two looks while something happens: `interval`, or so long that a crowd can be served between two
/// publications, but no longer than between two looks while nothing happens. Each subscriber then gets more at once, where a
/// write for every few events would take all the CPU, PostgreSQL's too.
fn busy_pause(interval: Duration, subscribers: usize) -> Duration {
    let turns = u32::try_from(subscribers).map_or(IDLE_PAUSE, |count| TURN.saturating_mul(count));
    interval.max(turns.min(IDLE_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_given_time_within_bounds() {
        let pause_ms = |interval_ms, subscribers| {
            busy_pause(Duration::from_millis(interval_ms), subscribers).as_millis()
        };
        assert_eq!(pause_ms(5, 0), 5);
        assert_eq!(pause_ms(5, 250), 5);
        assert_eq!(pause_ms(5, 1000), 20);
        assert_eq!(pause_ms(5, 10_000), 25);
        assert_eq!(pause_ms(5, usize::MAX), 25);
        assert_eq!(pause_ms(1000, 1000), 1000);
    }
}
