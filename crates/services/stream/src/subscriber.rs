//! One subscriber's way through the stream: from where it begins, through the database while it is behind, through the
//! ring when it is not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::Subscription;
use prometheus::IntCounter;
use runtime::postgres::DatabaseError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::arrivals::Arrival;
use crate::connections::Connections;
use crate::event::Event;
use crate::heartbeat::Heartbeat;
use crate::pacer::Pacer;
use crate::ring::{Read, Ring};
use crate::store::{self, Most, Page, Range};
use crate::subscriptions::Open;

/// Events that are handed out at once, and that a page from the database holds at most. What a subscriber costs in
/// memory hangs on it: the page that it reads, and the encoded batch on its way out.
const BATCH_EVENTS: usize = 256;
/// Bytes of text in a batch or a page, about; one event always fits.
const BATCH_BYTES: usize = 32 * 1024;
/// How many numbers one page looks through for those that are wanted.
const PAGE_SPAN: u64 = 20_000;
/// Pause before a page is tried again that the database did not give.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// What comes next.
#[derive(Debug)]
pub enum Delivery {
    /// At least one event, in the order of their numbers.
    Events(Vec<Arc<Event>>),
    /// Nothing for a while: the client may be told that the stream lives.
    Heartbeat,
    /// The limit is reached.
    End,
    /// The service stops.
    ShuttingDown,
}

/// A subscriber. It moves when [`Subscriber::next`] is awaited, so a client that does not read costs no more than what waits
/// for it. Nothing runs on its behalf but the reading of one page.
pub struct Subscriber {
    pub(crate) ring: Arc<Ring>,
    pub(crate) head: watch::Receiver<u64>,
    pub(crate) connections: Connections,
    pub(crate) subscription: Arc<Subscription>,
    /// The number of the event that it had last, or could have had.
    pub(crate) after: u64,
    /// Present while a live stream waits for its first event.
    pub(crate) arrival: Option<Arrival>,
    /// Whether nothing since the time that was asked for has been found yet.
    pub(crate) seeking: bool,
    /// Events that it may still have.
    pub(crate) remaining: u64,
    pub(crate) pacer: Pacer,
    /// Tells when it is to be told [`Delivery::Heartbeat`].
    pub(crate) heartbeat: Heartbeat,
    pub(crate) stop: CancellationToken,
    /// From the ring or from the database, not handed out yet.
    pub(crate) waiting: VecDeque<Arc<Event>>,
    /// Where it stands when it has had those.
    pub(crate) reached: u64,
    pub(crate) page: Option<PageOnItsWay>,
    pub(crate) sent: IntCounter,
    pub(crate) pages: IntCounter,
    pub(crate) _open: Open,
}

/// A page being read: a task, and not a future that the subscriber polls. Of a client that stops reading nobody polls anything,
/// and half a read would keep its connection, or its place in the queue for one, from all others. Dropped, it is given up.
type PageOnItsWay = AbortOnDropHandle<Result<Page, DatabaseError>>;

impl Subscriber {
    /// What the subscriber gets next, waited for. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Delivery {
        let mut heartbeat = self.heartbeat.silence_begins();
        let stop = self.stop.clone();
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => Delivery::ShuttingDown,
            delivery = self.advance() => delivery,
            () = heartbeat.due() => Delivery::Heartbeat,
        };
        self.heartbeat = heartbeat;
        delivery
    }

    async fn advance(&mut self) -> Delivery {
        loop {
            if self.remaining == 0 {
                return Delivery::End;
            }
            let allowed = self.pacer.allowed();
            if allowed == 0 {
                tokio::time::sleep(self.pacer.wait()).await;
                continue;
            }
            if self.waiting.is_empty() {
                self.after = self.after.max(self.reached);
                self.refill().await;
            }
            let events = self.take(allowed);
            if !events.is_empty() {
                return Delivery::Events(events);
            }
        }
    }

    /// Hands out what waits and is wanted, as far as rate and limit go.
    fn take(&mut self, allowed: usize) -> Vec<Arc<Event>> {
        let limit = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let most = allowed.min(limit);
        let mut events = Vec::with_capacity(most.min(self.waiting.len()));
        while events.len() < most
            && let Some(event) = self.waiting.pop_front()
        {
            self.after = event.sequence();
            if self.subscription.wants(event.transaction()) {
                events.push(event);
            }
        }
        self.pacer.spend(events.len());
        self.remaining -= events.len() as u64;
        self.sent.inc_by(events.len() as u64);
        events
    }

    /// Waits for events after the last one.
    async fn refill(&mut self) {
        if let Some(arrival) = &self.arrival {
            let Some(first) = arrival.first() else {
                // The ring, which knows the head, lives as long as this.
                drop(self.head.changed().await);
                return;
            };
            self.after = first - 1;
            self.arrival = None;
        }
        if self.page.is_none() {
            let mut events = Vec::new();
            match self
                .ring
                .read(self.after, BATCH_EVENTS, BATCH_BYTES, &mut events)
            {
                Read::Events => return self.waiting.extend(events),
                Read::UpToDate => {
                    drop(self.head.changed().await);
                    return;
                }
                Read::Behind(head) => self.page = Some(self.read_page(head)),
            }
        }
        let Some(page) = &mut self.page else { return };
        let read = page.await;
        self.page = None;
        let read = match read {
            Ok(read) => read,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this task with it.
                Err(_) => return,
            },
        };
        match read {
            Ok(page) => {
                self.pages.inc();
                self.seeking &= page.events.is_empty();
                self.waiting.extend(page.events.into_iter().map(Arc::new));
                self.reached = page.reached;
            }
            Err(error) => {
                tracing::debug!(error = %error.chain(), "a subscriber waits for the database");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }

    /// Begins to read what follows the last event, up to the number `head`.
    fn read_page(&self, head: u64) -> PageOnItsWay {
        let limit = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let range = Range {
            after: self.after,
            until: head.min(self.after.saturating_add(PAGE_SPAN)),
            most: Most {
                events: BATCH_EVENTS.min(limit).min(self.pacer.worthwhile()),
                bytes: BATCH_BYTES,
            },
        };
        let sought = self.subscription.since().filter(|_| self.seeking);
        let connections = self.connections.clone();
        let subscription = Arc::clone(&self.subscription);
        AbortOnDropHandle::new(tokio::spawn(async move {
            let connection = connections.get().await?;
            let mut range = range;
            if let Some(since) = sought {
                // By one look-up, rather than page by page through all that is older.
                let first = store::first_since(&connection, since).await?;
                range.after = first.map_or(head, |first| range.after.max(first - 1));
                range.until = head.min(range.after.saturating_add(PAGE_SPAN));
            }
            let page = store::page(&connection, range, Some(&subscription)).await?;
            connection.give_back();
            Ok(page)
        }))
    }
}
