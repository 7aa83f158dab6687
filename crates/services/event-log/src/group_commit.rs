//! Group commit: whoever appends while nobody writes becomes the writer and takes all that waits, so that concurrent
//! appends share one write and one fsync. No thread a partition: an idle partition costs its files alone.
//!
//! A thread writes itself ([`GroupCommit::append_blocking`]). A task ([`GroupCommit::submit`]) writes itself where it need
//! not wait for the disk, and otherwise lets a thread of the runtime's blocking pool write until nothing waits.
//!
//! - [`Budget`] bounds the bytes in flight of all partitions together
//! - [`Sink`] is what a partition does: encode and append, sync
//! - `writer`: one turn of writing; `lead`: who writes next

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use runtime::wakeups::Forwarded;
use tokio::sync::oneshot;

use crate::durability::Durability;

mod budget;
mod lead;
mod writer;

pub use budget::Budget;
use lead::Lead;
use writer::{Next, Reply, Writer};

/// Turns after which a thread that writes for others lets one of them go on.
const TURNS_FOR_OTHERS: usize = 8;
/// Bytes after which a batch is full: no waiter shall wait for more than this to be written before its own.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// The file behind a partition. One thread at a time calls it.
pub trait Sink: Send + 'static {
    /// What is appended.
    type Item: Send + 'static;
    /// Where it went.
    type Answer: Send + 'static;

    /// Appends `batch` with one write and pushes one answer for each item, in order; leaves `batch` empty. What it failed to
    /// write it takes back, where that can be done.
    ///
    /// # Errors
    /// The write failed. The sink is not written to again.
    fn write(
        &mut self,
        batch: &mut Vec<Self::Item>,
        answers: &mut Vec<Self::Answer>,
    ) -> io::Result<()>;

    /// Brings all that was written to the disk. Called once after a write if one of its items asked for it.
    ///
    /// # Errors
    /// The sync failed: nobody knows what is on the disk, and a second try would not tell. The sink is not written to again.
    fn sync(&mut self) -> io::Result<()>;
}

/// Why an append was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Too much waits already.
    #[error("too many appends are waiting: retry later")]
    Full,
    /// A write or a sync failed, now or earlier.
    #[error("appends are refused since a write failed: {0}")]
    Poisoned(Arc<str>),
}

/// Appends to one [`Sink`]. Cheap to clone.
pub struct GroupCommit<S: Sink>(Arc<Shared<S>>);

struct Shared<S: Sink> {
    state: Mutex<State<S>>,
    budget: Budget,
    capacity: usize,
}

struct State<S: Sink> {
    /// With whoever writes now, else here.
    writer: Option<Box<Writer<S>>>,
    queue: VecDeque<Entry<S>>,
    poison: Option<Arc<str>>,
}

enum Entry<S: Sink> {
    Append(Append<S>),
    /// A thread that wants the sink for itself.
    Turn(oneshot::Sender<Lead<S>>),
}

struct Append<S: Sink> {
    item: S::Item,
    bytes: usize,
    durability: Durability,
    reply: Reply<S>,
}

impl<S: Sink> Clone for GroupCommit<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Sink> std::fmt::Debug for GroupCommit<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupCommit").finish_non_exhaustive()
    }
}

impl<S: Sink> GroupCommit<S> {
    /// Writes to `sink`. At most `capacity` appends wait, and their bytes come out of `budget`.
    pub fn new(sink: S, capacity: usize, budget: Budget) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                writer: Some(Box::new(Writer::new(sink))),
                queue: VecDeque::new(),
                poison: None,
            }),
            budget,
            capacity: capacity.max(1),
        }))
    }

    /// Appends `item`, whose size is `bytes`, and waits on this thread. Not to be called on a thread that runs tasks.
    ///
    /// # Errors
    /// Too much waits, or the sink is poisoned.
    pub fn append_blocking(
        &self,
        item: S::Item,
        bytes: usize,
        durability: Durability,
    ) -> Result<S::Answer, AppendError> {
        let mut state = self.admit(bytes)?;
        let Some(writer) = state.writer.take() else {
            let (reply, answer) = oneshot::channel();
            state.queue.push_back(Entry::Append(Append {
                item,
                bytes,
                durability,
                reply: Reply::Thread(reply),
            }));
            drop(state);
            return match answer.blocking_recv() {
                Ok(Next::Answer(answer)) => answer,
                Ok(Next::Lead(lead, own)) => lead.append_with_others(*own, TURNS_FOR_OTHERS),
                Err(_) => Err(self.lost()),
            };
        };
        drop(state);
        let own = Append {
            item,
            bytes,
            durability,
            reply: Reply::Own,
        };
        self.lead(writer).append(own, TURNS_FOR_OTHERS)
    }

    /// Puts `item`, whose size is `bytes`, behind what waits; the answer comes from the future. The order of calls is the
    /// order in the file. A dropped future does not take the item back. To be called on a tokio runtime.
    ///
    /// # Errors
    /// Too much waits, or the sink is poisoned.
    pub fn submit(
        &self,
        item: S::Item,
        bytes: usize,
        durability: Durability,
    ) -> Result<Pending<S>, AppendError> {
        let mut state = self.admit(bytes)?;
        let mut writer = state.writer.take();
        if durability == Durability::Buffered
            && let Some(writer) = writer.take()
        {
            // Into the operating system's memory: shorter than the way to another thread.
            drop(state);
            let own = Append {
                item,
                bytes,
                durability,
                reply: Reply::Own,
            };
            let answer = self.lead(writer).append_then_spawn(own);
            return Ok(Pending(Answer::Here(Some(answer))));
        }
        let (reply, answer) = oneshot::channel();
        state.queue.push_back(Entry::Append(Append {
            item,
            bytes,
            durability,
            reply: Reply::Task(reply),
        }));
        drop(state);
        if let Some(writer) = writer {
            self.lead(writer).spawn();
        }
        Ok(Pending(Answer::ToCome(Forwarded(answer), self.clone())))
    }

    /// [`submit`](Self::submit) and its answer.
    ///
    /// # Errors
    /// Too much waits, or the sink is poisoned.
    pub async fn append(
        &self,
        item: S::Item,
        bytes: usize,
        durability: Durability,
    ) -> Result<S::Answer, AppendError> {
        self.submit(item, bytes, durability)?.await
    }

    /// Runs `work` on the sink once what came before is written, while nobody else writes; poisoned or not. Waits on this
    /// thread: not to be called on a thread that runs tasks.
    ///
    /// # Errors
    /// The writer was lost to a panic.
    pub fn exclusive<R>(&self, work: impl FnOnce(&mut S) -> R) -> Result<R, AppendError> {
        let mut state = self.state();
        let mut lead = if let Some(writer) = state.writer.take() {
            drop(state);
            self.lead(writer)
        } else {
            let (turn, given) = oneshot::channel();
            state.queue.push_back(Entry::Turn(turn));
            drop(state);
            given.blocking_recv().map_err(|_| self.lost())?
        };
        let result = lead.exclusive(work);
        // What came meanwhile waits for a writer.
        lead.drain(TURNS_FOR_OTHERS);
        Ok(result)
    }

    /// Refuses all later appends for this reason, for a sink that failed in [`exclusive`](Self::exclusive).
    pub fn poison(&self, reason: &str) {
        tracing::error!(reason, "no more appends are taken");
        self.state().poison = Some(reason.into());
    }

    /// Why appends are refused, if they are.
    #[must_use]
    pub fn poisoned(&self) -> Option<Arc<str>> {
        self.state().poison.clone()
    }

    /// Whether nobody writes and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state().writer.is_some()
    }

    /// The state, if `bytes` more may wait.
    fn admit(&self, bytes: usize) -> Result<MutexGuard<'_, State<S>>, AppendError> {
        let state = self.state();
        if let Some(reason) = &state.poison {
            return Err(AppendError::Poisoned(Arc::clone(reason)));
        }
        if state.queue.len() >= self.0.capacity || !self.0.budget.take(bytes) {
            return Err(AppendError::Full);
        }
        Ok(state)
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.0.state()
    }

    fn lead(&self, writer: Box<Writer<S>>) -> Lead<S> {
        Lead::new(writer, Arc::clone(&self.0))
    }

    fn lost(&self) -> AppendError {
        let reason = self.poisoned();
        AppendError::Poisoned(reason.unwrap_or_else(|| "the writer is gone".into()))
    }
}

impl<S: Sink> Shared<S> {
    /// The lock is never held while a sink works, so that a panic there leaves the state as it was.
    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to an append, as a future.
pub struct Pending<S: Sink>(Answer<S>);

enum Answer<S: Sink> {
    /// Written by the call itself; `None` once it was taken.
    Here(Option<Result<S::Answer, AppendError>>),
    /// Somebody else writes.
    ToCome(
        Forwarded<oneshot::Receiver<Result<S::Answer, AppendError>>>,
        GroupCommit<S>,
    ),
}

impl<S: Sink> Unpin for Pending<S> {}

impl<S: Sink> Future for Pending<S> {
    type Output = Result<S::Answer, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Answer::Here(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Answer::ToCome(answer, committer) => answer
                .poll_unpin(context)
                .map(|answer| answer.unwrap_or_else(|_| Err(committer.lost()))),
        }
    }
}

#[cfg(test)]
#[path = "group_commit/tests.rs"]
mod tests;
