//! How many blocks are checked at a time.

use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Turns at checking a block, for all verifications that share it. Whoever asked first is next, so that the check of a short
/// chain does not wait for the end of a long one's. Cheap to clone; clones share the turns.
#[derive(Clone, Debug)]
pub struct Checks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    at_once: usize,
    turns: Mutex<Turns>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Turns {
    asked: usize,
    ended: usize,
}

impl Default for Checks {
    /// One for each core.
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
    }
}

impl Checks {
    /// At most `at_once` blocks, at least one.
    #[must_use]
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Shared {
            at_once: at_once.max(1),
            turns: Mutex::default(),
            done: Condvar::new(),
        }))
    }

    /// How many blocks are checked at a time.
    #[must_use]
    pub fn at_once(&self) -> usize {
        self.0.at_once
    }

    /// Runs `check` when its turn has come. Blocks.
    pub(super) fn run<R>(&self, check: impl FnOnce() -> R) -> R {
        let mut turns = self.turns();
        let mine = turns.asked;
        turns.asked += 1;
        while mine >= turns.ended + self.0.at_once {
            turns = self
                .0
                .done
                .wait(turns)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(turns);
        let _end = End(self);
        check()
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.0.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next one go on, after a panic too.
struct End<'a>(&'a Checks);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.turns().ended += 1;
        self.0.0.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn no_more_than_allowed_run_at_a_time_and_all_get_their_turn() {
        let checks = Checks::new(2);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        checks.run(|| {
                            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now, Ordering::SeqCst);
                            std::thread::yield_now();
                            running.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!(checks.turns().ended, 400);
    }

    #[test]
    fn one_that_asks_later_comes_before_the_next_of_those_who_run() {
        let checks = Checks::new(1);
        let (order, told) = mpsc::channel();
        std::thread::scope(|scope| {
            let other = order.clone();
            checks.run(|| {
                scope.spawn(|| checks.run(move || other.send("other").expect("a receiver")));
                while checks.turns().asked < 2 {
                    std::thread::yield_now();
                }
            });
            checks.run(|| order.send("own again").expect("a receiver"));
        });
        drop(order);
        assert_eq!(told.iter().collect::<Vec<_>>(), ["other", "own again"]);
    }
}
