//! One turn of writing: a batch, its sync, its answers.

use std::io;
use std::sync::Arc;

use runtime::wakeups;
use tokio::sync::oneshot;

use super::lead::Lead;
use super::{Append, AppendError, BATCH_BYTES, Entry, Shared, Sink, State};
use crate::durability::Durability;

/// The sink, and room for a batch that is used again and again.
pub(super) struct Writer<S: Sink> {
    sink: S,
    items: Vec<S::Item>,
    answers: Vec<S::Answer>,
    /// One for each item.
    waiting: Vec<Waiting<S>>,
    /// Those that wait for the sync.
    unsynced: Vec<(Waiting<S>, S::Answer)>,
}

struct Waiting<S: Sink> {
    bytes: usize,
    durability: Durability,
    reply: Reply<S>,
}

/// How an append is answered.
pub(super) enum Reply<S: Sink> {
    /// By returning: the caller itself writes.
    Own,
    /// A future waits.
    Task(oneshot::Sender<Result<S::Answer, AppendError>>),
    /// A thread waits, and can write for others.
    Thread(oneshot::Sender<Next<S>>),
}

/// What a waiting thread is told.
pub(super) enum Next<S: Sink> {
    Answer(Result<S::Answer, AppendError>),
    /// Write, beginning with this, your own.
    Lead(Lead<S>, Box<Append<S>>),
}

impl<S: Sink> Writer<S> {
    pub(super) fn new(sink: S) -> Self {
        Self {
            sink,
            items: Vec::new(),
            answers: Vec::new(),
            waiting: Vec::new(),
            unsynced: Vec::new(),
        }
    }

    pub(super) fn take_in(&mut self, append: Append<S>) {
        self.items.push(append.item);
        self.waiting.push(Waiting {
            bytes: append.bytes,
            durability: append.durability,
            reply: append.reply,
        });
    }

    /// Takes what waits, up to a turn of somebody else or a full batch.
    pub(super) fn fill(&mut self, state: &mut State<S>) {
        let mut bytes = 0;
        while bytes < BATCH_BYTES
            && let Some(entry) = state
                .queue
                .pop_front_if(|entry| matches!(entry, Entry::Append(_)))
        {
            if let Entry::Append(append) = entry {
                bytes += append.bytes;
                self.take_in(append);
            }
        }
    }

    /// Writes the batch, syncs where one of it asks for that, answers all. Gives the caller's own answer.
    pub(super) fn turn(&mut self, home: &Shared<S>) -> Option<Result<S::Answer, AppendError>> {
        // Only the writer poisons: what was admitted before is refused here.
        let poison = home.state().poison.clone();
        let written = match poison {
            Some(reason) => Err(AppendError::Poisoned(reason)),
            None => self.write(home),
        };
        let own = wakeups::gather(|| self.answer_written(&written, home));
        if self.unsynced.is_empty() {
            return own;
        }
        let synced = self
            .sink
            .sync()
            .map_err(|error| home.poison(&error, "sync"));
        wakeups::gather(|| self.answer_synced(&synced, home)).or(own)
    }

    /// Answers those who do not wait for a sync; all of them where nothing was written.
    fn answer_written(
        &mut self,
        written: &Result<(), AppendError>,
        home: &Shared<S>,
    ) -> Option<Result<S::Answer, AppendError>> {
        let mut own = None;
        if let Err(error) = written {
            self.items.clear();
            self.answers.clear();
            for waiting in self.waiting.drain(..) {
                own = waiting.answer(Err(error.clone()), home).or(own);
            }
        }
        for (waiting, answer) in self.waiting.drain(..).zip(self.answers.drain(..)) {
            match waiting.durability {
                Durability::Buffered => own = waiting.answer(Ok(answer), home).or(own),
                Durability::Synced => self.unsynced.push((waiting, answer)),
            }
        }
        own
    }

    fn answer_synced(
        &mut self,
        synced: &Result<(), AppendError>,
        home: &Shared<S>,
    ) -> Option<Result<S::Answer, AppendError>> {
        let mut own = None;
        for (waiting, answer) in self.unsynced.drain(..) {
            let answer = synced.clone().map(|()| answer);
            own = waiting.answer(answer, home).or(own);
        }
        own
    }

    /// Runs `work` on the sink.
    pub(super) fn with_sink<R>(&mut self, work: impl FnOnce(&mut S) -> R) -> R {
        work(&mut self.sink)
    }

    /// Forgets the batch, whose waiters learn that nobody will answer. Gives the bytes that they held.
    pub(super) fn forget(&mut self) -> usize {
        self.items.clear();
        self.answers.clear();
        let waiting = self.waiting.drain(..);
        let unsynced = self.unsynced.drain(..).map(|(waiting, _)| waiting);
        waiting.chain(unsynced).map(|waiting| waiting.bytes).sum()
    }

    fn write(&mut self, home: &Shared<S>) -> Result<(), AppendError> {
        let written = self.sink.write(&mut self.items, &mut self.answers);
        let written = written.and_then(|()| {
            if self.answers.len() == self.waiting.len() {
                Ok(())
            } else {
                Err(io::Error::other("not every append was answered"))
            }
        });
        written.map_err(|error| home.poison(&error, "write"))
    }
}

impl<S: Sink> Waiting<S> {
    /// Tells whoever waits, or gives the answer back where that is the caller.
    fn answer(
        self,
        answer: Result<S::Answer, AppendError>,
        home: &Shared<S>,
    ) -> Option<Result<S::Answer, AppendError>> {
        home.budget.give_back(self.bytes);
        // Whoever does not wait any more need not be told.
        match self.reply {
            Reply::Own => return Some(answer),
            Reply::Task(reply) => drop(reply.send(answer)),
            Reply::Thread(reply) => drop(reply.send(Next::Answer(answer))),
        }
        None
    }
}

impl<S: Sink> Shared<S> {
    /// Notes why nothing more is written, and logs it.
    fn poison(&self, error: &io::Error, what: &str) -> AppendError {
        tracing::error!(%error, "a {what} failed: no more appends are taken");
        let reason: Arc<str> = format!("{what}: {error}").into();
        self.state().poison = Some(Arc::clone(&reason));
        AppendError::Poisoned(reason)
    }
}
