//! One turn of writing: a batch, its sync, its answers.

use std::io;

use crate::durability::Durability;
use crate::error::AppendError;
use crate::faults::{is_out_of_files, is_out_of_room};
use crate::gate::Gate;
use crate::sink::Sink;

/// Bytes at which a batch is full: they bound how much is written before the item of a waiter.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// The sink, and room for a batch that is used again and again.
pub(crate) struct Writer<S: Sink, R> {
    sink: S,
    items: Vec<S::Item>,
    answers: Vec<S::Answer>,
    /// One for each item.
    waiting: Vec<Waiting<R>>,
    /// Those that wait for the sync.
    unsynced: Vec<(Waiting<R>, S::Answer)>,
    /// Whether a write failed for lack of room, and what it left is not yet taken back.
    unfinished: bool,
}

struct Waiting<R> {
    bytes: usize,
    durability: Durability,
    reply: R,
}

/// How an append is answered.
pub(crate) trait Reply<A> {
    /// Tells whoever waits, or gives the answer back where that is the caller itself.
    fn answer(self, answer: Result<A, AppendError>) -> Option<Result<A, AppendError>>;
}

/// The answer to the caller's own append, if it was in the batch.
pub(crate) type Own<S> = Option<Result<<S as Sink>::Answer, AppendError>>;

impl<S: Sink, R: Reply<S::Answer>> Writer<S, R> {
    pub(crate) fn new(sink: S) -> Self {
        Self {
            sink,
            items: Vec::new(),
            answers: Vec::new(),
            waiting: Vec::new(),
            unsynced: Vec::new(),
            unfinished: false,
        }
    }

    /// Puts one more into the batch.
    pub(crate) fn take_in(
        &mut self,
        item: S::Item,
        bytes: usize,
        durability: Durability,
        reply: R,
    ) {
        self.items.push(item);
        self.waiting.push(Waiting {
            bytes,
            durability,
            reply,
        });
    }

    /// Whether a batch of `bytes` is full.
    pub(crate) fn is_full(bytes: usize) -> bool {
        bytes >= BATCH_BYTES
    }

    /// Whether a write of `item` now does not wait for the disk.
    pub(crate) fn is_quick(&self, item: &S::Item) -> bool {
        !self.unfinished && self.sink.is_quick(item)
    }

    /// Writes the batch, syncs where one of it asks for that, answers all.
    pub(crate) fn turn(&mut self, gate: &Gate) -> Own<S> {
        // Only the writer poisons: what was admitted before is refused here.
        let written = match gate.poisoned() {
            Some(reason) => Err(AppendError::Poisoned(reason)),
            None => self.write(gate),
        };
        self.items.clear();
        if let Err(AppendError::Poisoned(_)) = written {
            self.answers.clear();
        }
        let own = wakeups::gather(|| self.answer_written(&written, gate));
        if self.unsynced.is_empty() {
            return own;
        }
        let synced = self.sink.sync();
        let synced = synced.map_err(|error| {
            if is_out_of_files(&error) {
                // The sync was not tried: the next sync brings this batch to the disk too.
                return gate.note_full(&error);
            }
            self.refuse_for_good(&error, "sync", gate)
        });
        wakeups::gather(|| self.answer_synced(&synced, gate)).or(own)
    }

    fn write(&mut self, gate: &Gate) -> Result<(), AppendError> {
        self.take_back(gate)?;
        match self.sink.write(&mut self.items, &mut self.answers) {
            Ok(()) if self.answers.len() == self.waiting.len() => {
                gate.note_room();
                Ok(())
            }
            Ok(()) => {
                let error = io::Error::other("not every append was answered");
                Err(self.refuse_for_good(&error, "write", gate))
            }
            Err(error) if is_out_of_room(&error) => {
                self.unfinished = true;
                let refusal = gate.note_full(&error);
                // Where it cannot be done now it is done before the next write.
                Err(self.take_back(gate).err().unwrap_or(refusal))
            }
            Err(error) => Err(self.refuse_for_good(&error, "write", gate)),
        }
    }

    /// Cuts what a failed write left.
    fn take_back(&mut self, gate: &Gate) -> Result<(), AppendError> {
        if !self.unfinished {
            return Ok(());
        }
        match self.sink.take_back() {
            Ok(()) => {
                self.unfinished = false;
                Ok(())
            }
            Err(error) if is_out_of_room(&error) => Err(gate.note_full(&error)),
            Err(error) => Err(self.refuse_for_good(&error, "cut", gate)),
        }
    }

    /// Refuses all appends from now on, and logs why.
    fn refuse_for_good(&self, error: &io::Error, what: &str, gate: &Gate) -> AppendError {
        let reason = format!("{what}: {error}");
        if self.sink.is_closed() {
            return gate.close(&reason);
        }
        tracing::error!(%error, "a {what} failed: no more appends are taken");
        gate.poison(&reason)
    }

    /// Answers those who do not wait for a sync, and those whose items were not written.
    fn answer_written(&mut self, written: &Result<(), AppendError>, gate: &Gate) -> Own<S> {
        let mut own = None;
        let mut answers = self.answers.drain(..);
        for waiting in self.waiting.drain(..) {
            match (answers.next(), written) {
                (Some(answer), _) if waiting.durability == Durability::Synced => {
                    self.unsynced.push((waiting, answer));
                }
                (Some(answer), _) => own = waiting.answer(Ok(answer), gate).or(own),
                (None, Err(error)) => own = waiting.answer(Err(error.clone()), gate).or(own),
                // A sink that answers too few is poisoned.
                (None, Ok(())) => own = waiting.answer(Err(AppendError::Full), gate).or(own),
            }
        }
        own
    }

    fn answer_synced(&mut self, synced: &Result<(), AppendError>, gate: &Gate) -> Own<S> {
        let mut own = None;
        for (waiting, answer) in self.unsynced.drain(..) {
            let answer = synced.clone().map(|()| answer);
            own = waiting.answer(answer, gate).or(own);
        }
        own
    }

    /// Runs `work` on the sink.
    pub(crate) fn with_sink<T>(&mut self, gate: &Gate, work: impl FnOnce(&mut S) -> T) -> T {
        // What fails here fails again, and is answered, at the next write.
        drop(self.take_back(gate));
        work(&mut self.sink)
    }

    /// Forgets the batch, whose waiters learn that nobody will answer. Gives the bytes that they held.
    pub(crate) fn forget(&mut self) -> usize {
        self.items.clear();
        self.answers.clear();
        let waiting = self.waiting.drain(..);
        let unsynced = self.unsynced.drain(..).map(|(waiting, _)| waiting);
        waiting.chain(unsynced).map(|waiting| waiting.bytes).sum()
    }
}

impl<R> Waiting<R> {
    fn answer<A>(
        self,
        answer: Result<A, AppendError>,
        gate: &Gate,
    ) -> Option<Result<A, AppendError>>
    where
        R: Reply<A>,
    {
        gate.give_back(self.bytes);
        self.reply.answer(answer)
    }
}
