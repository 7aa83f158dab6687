//! The right to write: what waits, and who writes next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::durability::Durability;
use crate::error::AppendError;
use crate::gate::Gate;
use crate::sink::Sink;
use crate::writer::{Own, Reply, Writer};

/// What all clones of a committer share.
pub(crate) struct Shared<S: Sink> {
    state: Mutex<State<S>>,
    pub(crate) gate: Gate,
}

pub(crate) struct State<S: Sink> {
    /// The writer; `None` while somebody writes with it.
    pub(crate) writer: Option<Box<SinkWriter<S>>>,
    pub(crate) queue: VecDeque<Entry<S>>,
}

pub(crate) type SinkWriter<S> = Writer<S, AppendReply<S>>;

pub(crate) enum Entry<S: Sink> {
    Append(Append<S>),
    /// A thread that wants the sink for itself.
    Turn(oneshot::Sender<Lead<S>>),
}

pub(crate) struct Append<S: Sink> {
    pub(crate) item: S::Item,
    pub(crate) bytes: usize,
    pub(crate) durability: Durability,
    pub(crate) reply: AppendReply<S>,
}

/// Who waits for an answer.
pub(crate) enum AppendReply<S: Sink> {
    /// The caller itself writes, and gets it by returning.
    Own,
    /// A future.
    Task(oneshot::Sender<Result<S::Answer, AppendError>>),
    /// A thread, which can write for others.
    Thread(oneshot::Sender<Next<S>>),
}

/// What a waiting thread is told.
pub(crate) enum Next<S: Sink> {
    Answer(Result<S::Answer, AppendError>),
    /// Write, beginning with this, your own.
    Lead(Lead<S>, Box<Append<S>>),
}

impl<S: Sink> Reply<S::Answer> for AppendReply<S> {
    fn answer(self, answer: Result<S::Answer, AppendError>) -> Own<S> {
        // A caller that no longer waits needs no answer.
        match self {
            Self::Own => return Some(answer),
            Self::Task(reply) => drop(reply.send(answer)),
            Self::Thread(reply) => drop(reply.send(Next::Answer(answer))),
        }
        None
    }
}

impl<S: Sink> Shared<S> {
    pub(crate) fn new(sink: S, gate: Gate) -> Self {
        Self {
            state: Mutex::new(State {
                writer: Some(Box::new(Writer::new(sink))),
                queue: VecDeque::new(),
            }),
            gate,
        }
    }

    /// The lock is never held while a sink works, so that a panic there leaves the state as it was.
    pub(crate) fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sink> State<S> {
    /// Moves waiting appends into the batch of `writer`, until the batch is full or a thread waits for its exclusive turn.
    fn fill(&mut self, writer: &mut SinkWriter<S>) {
        let mut bytes = 0;
        while !SinkWriter::<S>::is_full(bytes)
            && let Some(entry) = self
                .queue
                .pop_front_if(|entry| matches!(entry, Entry::Append(_)))
        {
            if let Entry::Append(append) = entry {
                bytes += append.bytes;
                append.into_batch(writer);
            }
        }
    }
}

impl<S: Sink> Append<S> {
    fn into_batch(self, writer: &mut SinkWriter<S>) {
        writer.take_in(self.item, self.bytes, self.durability, self.reply);
    }
}

/// The right to write. It goes from thread to thread, and back to its home when nothing waits.
pub(crate) struct Lead<S: Sink> {
    /// `None` once it is home.
    writer: Option<Box<SinkWriter<S>>>,
    home: Arc<Shared<S>>,
    /// Whether the sink is at work: if this is dropped meanwhile, the sink panicked.
    at_work: bool,
}

impl<S: Sink> Lead<S> {
    pub(crate) fn new(writer: Box<SinkWriter<S>>, home: Arc<Shared<S>>) -> Self {
        Self {
            writer: Some(writer),
            home,
            at_work: false,
        }
    }

    /// Writes `own`, then what came meanwhile; after `turns` of that a waiting thread goes on.
    pub(crate) fn append(mut self, own: Append<S>, turns: usize) -> Result<S::Answer, AppendError> {
        let answer = self.turn_with(own);
        self.drain(turns);
        answer
    }

    /// [`append`](Self::append), together with what waits already.
    pub(crate) fn append_with_others(
        mut self,
        own: Append<S>,
        turns: usize,
    ) -> Result<S::Answer, AppendError> {
        let answer = self.work(|writer, home| {
            own.into_batch(writer);
            home.state().fill(writer);
            writer.turn(&home.gate)
        });
        self.drain(turns);
        answered(answer)
    }

    /// Writes `own`; what came meanwhile is for a thread of the blocking pool.
    pub(crate) fn append_then_spawn(mut self, own: Append<S>) -> Result<S::Answer, AppendError> {
        let answer = self.turn_with(own);
        if !self.go_home() {
            self.spawn();
        }
        answer
    }

    /// Lets a thread of the runtime's blocking pool write until nothing waits. Whoever waits for an answer waits for it.
    pub(crate) fn spawn(self) {
        drop(tokio::task::spawn_blocking(move || self.drain(usize::MAX)));
    }

    /// Runs `work` on the sink.
    pub(crate) fn exclusive<R>(&mut self, work: impl FnOnce(&mut S) -> R) -> R {
        let mut result = None;
        self.work(|writer, home| {
            result = Some(writer.with_sink(&home.gate, work));
            None
        });
        result.expect("the writer is here until it goes home")
    }

    /// Writes until nothing waits; after `turns` batches a waiting thread goes on.
    pub(crate) fn drain(mut self, mut turns: usize) {
        loop {
            let home = Arc::clone(&self.home);
            let mut state = home.state();
            match state.queue.front() {
                None => {
                    state.writer = self.writer.take();
                    return;
                }
                Some(Entry::Append(append))
                    if turns > 0 || !matches!(append.reply, AppendReply::Thread(_)) =>
                {
                    if let Some(writer) = &mut self.writer {
                        state.fill(writer);
                    }
                    drop(state);
                    self.work(|writer, home| writer.turn(&home.gate));
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

    /// Passes the right to write to the thread that waits for `next`; returns it if no thread waits.
    fn hand_over(self, next: Option<Entry<S>>) -> Option<Self> {
        match next {
            Some(Entry::Turn(turn)) => turn.send(self).err(),
            Some(Entry::Append(mut append)) => {
                let reply = std::mem::replace(&mut append.reply, AppendReply::Own);
                let AppendReply::Thread(reply) = reply else {
                    return Some(self);
                };
                match reply.send(Next::Lead(self, Box::new(append))) {
                    Err(Next::Lead(lead, append)) => {
                        lead.home.gate.give_back(append.bytes);
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
            own.into_batch(writer);
            writer.turn(&home.gate)
        }))
    }

    fn work(&mut self, work: impl FnOnce(&mut SinkWriter<S>, &Shared<S>) -> Own<S>) -> Own<S> {
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
        self.home.gate.give_back(writer.forget());
        self.home.gate.poison("a panic while writing");
        self.at_work = false;
        Self::new(writer, Arc::clone(&self.home)).drain(usize::MAX);
    }
}
