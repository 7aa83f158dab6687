//! One turn of writing, and who writes next.

use std::io;
use std::sync::Arc;

use runtime::wakeups;
use tokio::sync::oneshot;

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

    fn take_in(&mut self, append: Append<S>) {
        self.items.push(append.item);
        self.waiting.push(Waiting {
            bytes: append.bytes,
            durability: append.durability,
            reply: append.reply,
        });
    }

    /// Takes what waits, up to a turn of somebody else or a full batch.
    fn fill(&mut self, state: &mut State<S>) {
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
    fn turn(&mut self, home: &Shared<S>) -> Option<Result<S::Answer, AppendError>> {
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

/// The right to write. It goes from thread to thread, and back to its home when nothing waits.
pub(super) struct Lead<S: Sink> {
    /// `None` once it is home.
    writer: Option<Box<Writer<S>>>,
    home: Arc<Shared<S>>,
    /// Whether the sink is at work: dropped then, it panicked.
    at_work: bool,
}

impl<S: Sink> Lead<S> {
    pub(super) fn new(writer: Box<Writer<S>>, home: Arc<Shared<S>>) -> Self {
        Self {
            writer: Some(writer),
            home,
            at_work: false,
        }
    }

    /// Writes `own`, then what came meanwhile; after `turns` of that a waiting thread goes on.
    pub(super) fn append(mut self, own: Append<S>, turns: usize) -> Result<S::Answer, AppendError> {
        let answer = self.turn_with(own);
        self.drain(turns);
        answer
    }

    /// [`append`](Self::append), together with what waits already.
    pub(super) fn append_with_others(
        mut self,
        own: Append<S>,
        turns: usize,
    ) -> Result<S::Answer, AppendError> {
        let answer = self.work(|writer, home| {
            writer.take_in(own);
            writer.fill(&mut home.state());
            writer.turn(home)
        });
        self.drain(turns);
        answered(answer)
    }

    /// Writes `own`; what came meanwhile is for a thread of the blocking pool.
    pub(super) fn append_then_spawn(mut self, own: Append<S>) -> Result<S::Answer, AppendError> {
        let answer = self.turn_with(own);
        if !self.go_home() {
            self.spawn();
        }
        answer
    }

    /// Lets a thread of the runtime's blocking pool write until nothing waits. Whoever waits for an answer waits for it.
    pub(super) fn spawn(self) {
        drop(tokio::task::spawn_blocking(move || self.drain(usize::MAX)));
    }

    /// Runs `work` on the sink.
    pub(super) fn exclusive<R>(&mut self, work: impl FnOnce(&mut S) -> R) -> R {
        let mut result = None;
        self.work(|writer, _| {
            result = Some(work(&mut writer.sink));
            None
        });
        result.expect("the writer is here until it goes home")
    }

    /// Writes until nothing waits; after `turns` batches a waiting thread goes on.
    pub(super) fn drain(mut self, mut turns: usize) {
        loop {
            let home = Arc::clone(&self.home);
            let mut state = home.state();
            match state.queue.front() {
                None => {
                    state.writer = self.writer.take();
                    return;
                }
                Some(Entry::Append(append))
                    if turns > 0 || !matches!(append.reply, Reply::Thread(_)) =>
                {
                    if let Some(writer) = &mut self.writer {
                        writer.fill(&mut state);
                    }
                    drop(state);
                    self.work(Writer::turn);
                    turns = turns.saturating_sub(1);
                }
                Some(_) => {
                    let next = state.queue.pop_front();
                    drop(state);
                    match self.hand_over(next) {
                        Some(lead) => self = lead,
                        None => return,
                    }
                }
            }
        }
    }

    /// Gives the right to the thread that waits for `next`; gives it back where nobody does.
    fn hand_over(self, next: Option<Entry<S>>) -> Option<Self> {
        match next {
            Some(Entry::Turn(turn)) => turn.send(self).err(),
            Some(Entry::Append(mut append)) => {
                let Reply::Thread(reply) = std::mem::replace(&mut append.reply, Reply::Own) else {
                    return Some(self);
                };
                match reply.send(Next::Lead(self, Box::new(append))) {
                    Err(Next::Lead(lead, append)) => {
                        lead.home.budget.give_back(append.bytes);
                        Some(lead)
                    }
                    _ => None,
                }
            }
            None => Some(self),
        }
    }

    /// Returns the writer if nothing waits.
    fn go_home(&mut self) -> bool {
        let mut state = self.home.state();
        if state.queue.is_empty() {
            state.writer = self.writer.take();
        }
        self.writer.is_none()
    }

    fn turn_with(&mut self, own: Append<S>) -> Result<S::Answer, AppendError> {
        answered(self.work(|writer, home| {
            writer.take_in(own);
            writer.turn(home)
        }))
    }

    fn work(
        &mut self,
        work: impl FnOnce(&mut Writer<S>, &Shared<S>) -> Option<Result<S::Answer, AppendError>>,
    ) -> Option<Result<S::Answer, AppendError>> {
        self.at_work = true;
        let answer = self
            .writer
            .as_mut()
            .and_then(|writer| work(writer, &self.home));
        self.at_work = false;
        answer
    }
}

fn answered<A>(answer: Option<Result<A, AppendError>>) -> Result<A, AppendError> {
    answer.unwrap_or_else(|| Err(AppendError::Poisoned("the append was lost".into())))
}

impl<S: Sink> Drop for Lead<S> {
    /// A runtime that stops drops what it was to run: then this thread writes what waits. After a panic of the sink nobody
    /// knows what it has written: everyone is refused.
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else {
            return;
        };
        if !self.at_work {
            return Self::new(writer, Arc::clone(&self.home)).drain(usize::MAX);
        }
        let lost = writer.waiting.drain(..).map(|waiting| waiting.bytes);
        self.home.budget.give_back(lost.sum());
        let lost = writer.unsynced.drain(..).map(|(waiting, _)| waiting.bytes);
        self.home.budget.give_back(lost.sum());
        writer.items.clear();
        writer.answers.clear();
        self.home.state().poison = Some("a panic while writing".into());
        self.at_work = false;
        Self::new(writer, Arc::clone(&self.home)).drain(usize::MAX);
    }
}
