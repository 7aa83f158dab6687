//! The right to write: who writes next.

use std::sync::Arc;

use super::writer::{Next, Reply, Writer};
use super::{Append, AppendError, Entry, Shared, Sink};

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
            result = Some(writer.with_sink(work));
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
        self.home.budget.give_back(writer.forget());
        self.home.state().poison = Some("a panic while writing".into());
        self.at_work = false;
        Self::new(writer, Arc::clone(&self.home)).drain(usize::MAX);
    }
}
