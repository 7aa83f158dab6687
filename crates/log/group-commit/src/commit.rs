//! Appends to one sink, by threads and by tasks.
//!
//! A thread writes itself ([`GroupCommit::append_blocking`]). A task ([`GroupCommit::submit`]) writes itself where it need
//! not wait for the disk, and otherwise lets a thread of the runtime's blocking pool write until nothing waits.

use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::sync::oneshot;
use wakeups::Forwarded;

use crate::durability::Durability;
use crate::error::AppendError;
use crate::gate::Gate;
use crate::lead::{Append, AppendReply, Entry, Lead, Next, Shared, SinkWriter, State};
use crate::sink::Sink;
use crate::terms::Terms;

/// Number of batches that a thread writes for others before it passes the right to write to one of them.
const TURNS_FOR_OTHERS: usize = 8;

/// Appends to one [`Sink`]. Cheap to clone.
pub struct GroupCommit<S: Sink>(Arc<Shared<S>>);

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
    /// A committer that writes to `sink` the appends that `terms` admit.
    pub fn new(sink: S, terms: Terms) -> Self {
        Self(Arc::new(Shared::new(sink, Gate::new(terms))))
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
                reply: AppendReply::Thread(reply),
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
            reply: AppendReply::Own,
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
            && let Some(writer) = writer.take_if(|writer| writer.is_quick(&item))
        {
            // Shorter than the way to another thread.
            drop(state);
            let own = Append {
                item,
                bytes,
                durability,
                reply: AppendReply::Own,
            };
            let answer = self.lead(writer).append_then_spawn(own);
            return Ok(Pending(Answer::Here(Some(answer))));
        }
        let (reply, answer) = oneshot::channel();
        state.queue.push_back(Entry::Append(Append {
            item,
            bytes,
            durability,
            reply: AppendReply::Task(reply),
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
        self.0.gate.poison(reason);
    }

    /// Why appends are refused, if they are.
    #[must_use]
    pub fn poisoned(&self) -> Option<Arc<str>> {
        self.0.gate.poisoned()
    }

    /// Bytes of all appends in flight that share this committer's budget.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.0.gate.waiting_bytes()
    }

    /// Whether nobody writes and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state().writer.is_some()
    }

    /// The state, if `bytes` more may wait.
    fn admit(&self, bytes: usize) -> Result<MutexGuard<'_, State<S>>, AppendError> {
        let state = self.state();
        self.0.gate.admit(state.queue.len(), bytes)?;
        Ok(state)
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.0.state()
    }

    fn lead(&self, writer: Box<SinkWriter<S>>) -> Lead<S> {
        Lead::new(writer, Arc::clone(&self.0))
    }

    fn lost(&self) -> AppendError {
        let reason = self.poisoned();
        AppendError::Poisoned(reason.unwrap_or_else(|| "the writer is gone".into()))
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
