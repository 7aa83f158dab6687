//! Outcomes for many requests of one thread, delivered with one wake-up.
//!
//! A face whose worker threads each have a runtime of their own (actix-web) would pay a system call for every
//! outcome: waking a task of another thread's runtime writes to an eventfd. With a mailbox a writer hands each
//! thread all its outcomes of a batch at once; a task on that thread then wakes the requests, which costs nothing.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::error::{IngestError, Outcome};

thread_local! {
    static MAILBOX: RefCell<Option<Mailbox>> = const { RefCell::new(None) };
}

/// Gives the current thread a mailbox; [`crate::Ingest::submit`] uses it from then on. Call it once on each thread
/// whose tasks never move to another one, inside its `LocalSet`. It ends with the thread's runtime.
pub fn open_on_this_thread() {
    let inbox = Arc::new(Inbox::default());
    MAILBOX.with_borrow_mut(|mailbox| {
        *mailbox = Some(Mailbox {
            inbox: Arc::clone(&inbox),
            slots: Vec::new(),
            free: Vec::new(),
        });
    });
    drop(tokio::task::spawn_local(deliver(inbox)));
}

/// Wakes the requests whose outcomes have arrived.
async fn deliver(inbox: Arc<Inbox>) {
    let mut arrived = Vec::new();
    loop {
        inbox.arrival.notified().await;
        std::mem::swap(&mut arrived, &mut *inbox.lock());
        MAILBOX.with_borrow_mut(|mailbox| {
            if let Some(mailbox) = mailbox {
                arrived
                    .drain(..)
                    .for_each(|(ticket, outcome)| mailbox.complete(ticket, outcome));
            }
        });
    }
}

/// Where writers put the outcomes of one thread.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    outcomes: Mutex<Arrivals>,
    arrival: Notify,
}

impl Inbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Arrivals> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which request of a thread an outcome is for. The generation tells a slot's users apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    slot: u32,
    generation: u32,
}

/// Outcomes on their way, sorted by thread; sent when dropped.
#[derive(Default)]
pub(crate) struct Post(Vec<(Arc<Inbox>, Arrivals)>);

type Arrivals = Vec<(Ticket, Outcome)>;

impl Post {
    pub(crate) fn add(&mut self, inbox: Arc<Inbox>, ticket: Ticket, outcome: Outcome) {
        match self
            .0
            .iter_mut()
            .find(|(known, _)| Arc::ptr_eq(known, &inbox))
        {
            Some((_, outcomes)) => outcomes.push((ticket, outcome)),
            None => self.0.push((inbox, vec![(ticket, outcome)])),
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        for (inbox, outcomes) in self.0.drain(..) {
            inbox.lock().extend(outcomes);
            inbox.arrival.notify_one();
        }
    }
}

struct Mailbox {
    inbox: Arc<Inbox>,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    state: State,
}

enum State {
    Free,
    Waiting(Option<Waker>),
    Done(Outcome),
}

impl Mailbox {
    fn take_ticket(&mut self) -> Ticket {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                state: State::Free,
            });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let entry = &mut self.slots[slot as usize];
        entry.state = State::Waiting(None);
        Ticket {
            slot,
            generation: entry.generation,
        }
    }

    fn slot(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        self.slots
            .get_mut(ticket.slot as usize)
            .filter(|slot| slot.generation == ticket.generation)
    }

    fn complete(&mut self, ticket: Ticket, outcome: Outcome) {
        // a request that was given up has left its slot
        let Some(slot) = self.slot(ticket) else {
            return;
        };
        if let State::Waiting(Some(waker)) =
            std::mem::replace(&mut slot.state, State::Done(outcome))
        {
            waker.wake();
        }
    }

    fn give_back(&mut self, ticket: Ticket) {
        if let Some(slot) = self.slot(ticket) {
            slot.generation = slot.generation.wrapping_add(1);
            slot.state = State::Free;
            self.free.push(ticket.slot);
        }
    }
}

/// A request that waits for its outcome on the thread it was made on.
#[derive(Debug)]
pub(crate) struct Pending(Ticket);

impl Pending {
    /// A place in this thread's mailbox, and where its outcome is to be sent; none where the thread has no mailbox.
    pub(crate) fn register() -> Option<(Self, Arc<Inbox>, Ticket)> {
        MAILBOX.with_borrow_mut(|mailbox| {
            let mailbox = mailbox.as_mut()?;
            let ticket = mailbox.take_ticket();
            Some((Self(ticket), Arc::clone(&mailbox.inbox), ticket))
        })
    }
}

impl Future for Pending {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        MAILBOX.with_borrow_mut(|mailbox| {
            let slot = mailbox.as_mut().and_then(|mailbox| mailbox.slot(self.0));
            match slot.map(|slot| &mut slot.state) {
                Some(State::Waiting(waker)) => {
                    *waker = Some(context.waker().clone());
                    Poll::Pending
                }
                Some(State::Done(outcome)) => Poll::Ready(outcome.clone()),
                // polled on another thread, against the rule of `open_on_this_thread`
                Some(State::Free) | None => Poll::Ready(Err(IngestError::Internal)),
            }
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // At the end of a thread its mailbox may be gone before the requests.
        let _gone = MAILBOX.try_with(|mailbox| {
            if let Ok(mut mailbox) = mailbox.try_borrow_mut()
                && let Some(mailbox) = mailbox.as_mut()
            {
                mailbox.give_back(self.0);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn on_a_thread_with_a_mailbox(test: impl Future<Output = ()>) {
        tokio::task::LocalSet::new()
            .run_until(async {
                open_on_this_thread();
                test.await;
            })
            .await;
    }

    #[tokio::test]
    async fn outcomes_reach_the_requests_they_are_for() {
        on_a_thread_with_a_mailbox(async {
            let registered: Vec<_> = (0..100).filter_map(|_| Pending::register()).collect();
            let (pending, answers): (Vec<_>, Vec<_>) = registered
                .into_iter()
                .map(|(pending, inbox, ticket)| (pending, (inbox, ticket)))
                .unzip();
            assert_eq!(pending.len(), 100);
            let writer = std::thread::spawn(move || {
                let mut post = Post::default();
                for (number, (inbox, ticket)) in answers.into_iter().enumerate() {
                    let outcome = if number % 3 == 0 {
                        Err(IngestError::QueueFull)
                    } else {
                        Ok(())
                    };
                    post.add(inbox, ticket, outcome);
                }
            });
            for (number, pending) in pending.into_iter().enumerate() {
                assert_eq!(pending.await.is_err(), number % 3 == 0, "{number}");
            }
            assert!(writer.join().is_ok());
        })
        .await;
    }

    #[tokio::test]
    async fn the_outcome_of_a_request_given_up_reaches_nobody_else() {
        on_a_thread_with_a_mailbox(async {
            let (first, inbox, late) = Pending::register().expect("a mailbox");
            drop(first);
            let (second, _, ticket) = Pending::register().expect("a mailbox");
            assert_eq!(late.slot, ticket.slot, "the slot is used again");
            let mut post = Post::default();
            post.add(Arc::clone(&inbox), late, Err(IngestError::QueueFull));
            post.add(inbox, ticket, Ok(()));
            drop(post);
            assert_eq!(second.await, Ok(()));
        })
        .await;
    }

    #[tokio::test]
    async fn a_thread_without_a_mailbox_has_none() {
        assert!(Pending::register().is_none());
    }
}
