//! The bounded queue between the faces and the readers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{AccountId, AccountIds, Balance};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::error::BalanceError;
use crate::metrics::BalanceMetrics;

/// What one request gets: the balance of each account it asked for, in that order, `None` where there is none.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, BalanceError>>;

/// A request that waits for a read.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) wanted: Wanted,
    /// When the caller stops waiting.
    pub(crate) deadline: Instant,
}

/// What a request asks for, and where its answer goes.
#[derive(Debug)]
pub(crate) enum Wanted {
    One(AccountId, Answer<(AccountId, Option<Balance>)>),
    Many(AccountIds, Answer<Vec<(AccountId, Option<Balance>)>>),
}

impl Waiting {
    /// The accounts asked for, at least one.
    pub(crate) fn ids(&self) -> &[AccountId] {
        match &self.wanted {
            Wanted::One(id, _) => std::slice::from_ref(id),
            Wanted::Many(ids, _) => ids.as_slice(),
        }
    }

    /// Sends what `balances` holds for this request: as many as [`Self::ids`]. A caller that is gone is no error.
    pub(crate) fn answer(self, balances: &mut impl Iterator<Item = Option<Balance>>) {
        match self.wanted {
            Wanted::One(id, answer) => {
                let balance = balances.next().flatten();
                drop(answer.send(Ok((id, balance))));
            }
            Wanted::Many(ids, answer) => {
                let found = ids.into_iter().zip(balances).collect();
                drop(answer.send(Ok(found)));
            }
        }
    }

    /// Sends an error. A caller that is gone is no error.
    pub(crate) fn refuse(self, error: BalanceError) {
        match self.wanted {
            Wanted::One(_, answer) => drop(answer.send(Err(error))),
            Wanted::Many(_, answer) => drop(answer.send(Err(error))),
        }
    }

    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool {
        match &self.wanted {
            Wanted::One(_, answer) => answer.is_closed(),
            Wanted::Many(_, answer) => answer.is_closed(),
        }
    }
}

/// Requests in the order of their arrival, shared by all readers. Bounded in accounts.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Notify,
    /// Accounts that may wait.
    capacity: usize,
    metrics: BalanceMetrics,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Accounts of all that wait, those of a request counted up to the capacity.
    accounts: usize,
    /// Reads of readers under way.
    shared_reads: usize,
    /// Reads of single requests under way.
    lone_reads: usize,
    closed: bool,
}

/// The turn of a request to read for itself at once, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lone(Arc<Queue>);

/// A reader's read, until it is dropped.
#[derive(Debug)]
pub(crate) struct SharedRead<'a>(&'a Queue);

/// Requests that may read for themselves at a time. With more under way a read is shared by those that wait.
const LONE_READS: usize = 2;

impl Queue {
    /// Takes up to `capacity` accounts; a request for more than that fits into an empty queue.
    pub(crate) fn new(capacity: usize, metrics: BalanceMetrics) -> Self {
        Self {
            state: Mutex::default(),
            arrived: Notify::new(),
            capacity,
            metrics,
        }
    }

    /// Puts a request at the end, or says at once that there is no room.
    pub(crate) fn push(&self, waiting: Waiting) -> Result<(), BalanceError> {
        let weight = self.weight(&waiting);
        let mut state = self.state();
        if state.closed {
            return Err(BalanceError::ShuttingDown);
        }
        if state.accounts + weight > self.capacity {
            return Err(BalanceError::QueueFull);
        }
        state.accounts += weight;
        state.waiting.push_back(waiting);
        self.metrics.waiting(state.accounts);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// The turn to read at once, where no reader reads and nothing waits: there is nobody to share a read with.
    pub(crate) fn lone(self: &Arc<Self>) -> Option<Lone> {
        let mut state = self.state();
        let nobody = state.waiting.is_empty() && state.shared_reads == 0;
        if !nobody || state.lone_reads >= LONE_READS || state.closed {
            return None;
        }
        state.lone_reads += 1;
        Some(Lone(Arc::clone(self)))
    }

    /// Notes that a reader reads.
    pub(crate) fn shared_read(&self) -> SharedRead<'_> {
        self.state().shared_reads += 1;
        SharedRead(self)
    }

    /// Waits until a request waits.
    pub(crate) async fn arrival(&self) {
        loop {
            // Made before looking, so that no arrival falls between.
            let arrived = self.arrived.notified();
            if !self.state().waiting.is_empty() {
                return;
            }
            arrived.await;
        }
    }

    /// Takes all that waits into `batch`, up to `max_accounts` (one request may exceed it alone). Requests that
    /// nobody waits for any more are dropped.
    pub(crate) fn take(&self, batch: &mut Vec<Waiting>, max_accounts: usize) {
        let now = Instant::now();
        let mut state = self.state();
        let mut accounts = 0;
        while let Some(next) = state.waiting.front() {
            accounts += next.ids().len();
            if accounts > max_accounts && !batch.is_empty() {
                break;
            }
            let Some(next) = state.waiting.pop_front() else {
                break;
            };
            state.accounts -= self.weight(&next);
            if next.deadline <= now {
                next.refuse(BalanceError::Timeout);
            } else if !next.is_abandoned() {
                batch.push(next);
            }
        }
        self.metrics.waiting(state.accounts);
        let some_left = !state.waiting.is_empty();
        drop(state);
        if some_left {
            // For the next reader: the arrivals told of were one notification.
            self.arrived.notify_one();
        }
    }

    /// Takes no more, and gives what still waits.
    pub(crate) fn close(&self) -> VecDeque<Waiting> {
        let mut state = self.state();
        state.closed = true;
        self.drain(&mut state)
    }

    /// Gives all that waits.
    pub(crate) fn take_all(&self) -> VecDeque<Waiting> {
        self.drain(&mut self.state())
    }

    fn drain(&self, state: &mut State) -> VecDeque<Waiting> {
        state.accounts = 0;
        self.metrics.waiting(0);
        std::mem::take(&mut state.waiting)
    }

    fn weight(&self, waiting: &Waiting) -> usize {
        waiting.ids().len().min(self.capacity)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        self.0.state().lone_reads -= 1;
    }
}

impl Drop for SharedRead<'_> {
    fn drop(&mut self) {
        self.0.state().shared_reads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime::metrics::Metrics;

    use super::*;

    fn queue() -> Arc<Queue> {
        let metrics = Metrics::new().expect("metrics");
        let metrics = BalanceMetrics::register(&metrics).expect("counters");
        Arc::new(Queue::new(10, metrics))
    }

    #[test]
    fn a_request_reads_for_itself_only_where_there_is_nobody_to_share_with() {
        let queue = queue();
        let first = queue.lone().expect("nobody reads");
        let second = queue.lone().expect("two at a time");
        assert!(queue.lone().is_none(), "two at a time");
        drop(first);
        let shared = queue.shared_read();
        assert!(queue.lone().is_none(), "a reader reads");
        drop(shared);
        drop(queue.lone().expect("it is done"));
        let (answer, _receiver) = oneshot::channel();
        let id = AccountId::new("0.0.1".into()).expect("an id");
        let waiting = Waiting {
            wanted: Wanted::One(id, answer),
            deadline: Instant::now() + Duration::from_secs(1),
        };
        queue.push(waiting).expect("room");
        assert!(queue.lone().is_none(), "a request waits");
        let mut batch = Vec::new();
        queue.take(&mut batch, 10);
        assert!(queue.lone().is_some());
        drop(second);
        queue.close();
        assert!(queue.lone().is_none());
    }
}
