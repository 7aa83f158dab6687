//! The bounded queue between the faces and the readers.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    closed: bool,
}

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
