//! The committer over sinks in memory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

mod faults;

/// Keeps what it is given, and can be told to fail.
#[derive(Default)]
struct Memory {
    items: Vec<u32>,
    writes: usize,
    syncs: Arc<AtomicUsize>,
    slow: Duration,
    fails: Fails,
}

#[derive(Default, PartialEq)]
enum Fails {
    #[default]
    Never,
    Write,
    Sync,
    Panic,
}

impl Sink for Memory {
    type Item = u32;
    type Answer = usize;

    fn write(&mut self, batch: &mut Vec<u32>, answers: &mut Vec<usize>) -> io::Result<()> {
        assert!(self.fails != Fails::Panic, "as asked");
        if self.fails == Fails::Write {
            return Err(io::Error::other("disk full"));
        }
        self.writes += 1;
        for item in batch.drain(..) {
            answers.push(self.items.len());
            self.items.push(item);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        std::thread::sleep(self.slow);
        self.syncs.fetch_add(1, Ordering::Relaxed);
        match self.fails {
            Fails::Sync => Err(io::Error::other("I/O error")),
            _ => Ok(()),
        }
    }

    fn take_back(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn committer(sink: Memory) -> GroupCommit<Memory> {
    GroupCommit::new(
        sink,
        Terms {
            capacity: 10_000,
            budget: Budget::new(1 << 20),
            faults: Faults::default(),
        },
    )
}

/// Each answer is the place where the item is.
fn check(committer: &GroupCommit<Memory>, answers: &[(u32, usize)]) {
    committer
        .exclusive(|sink| {
            assert_eq!(sink.items.len(), answers.len());
            for (item, place) in answers {
                assert_eq!(sink.items[*place], *item);
            }
        })
        .expect("the sink");
    assert_eq!(committer.waiting_bytes(), 0);
}

#[test]
fn one_thread_writes_at_once() {
    let committer = committer(Memory::default());
    for n in 0..10 {
        let answer = committer.append_blocking(n, 1, Durability::Buffered);
        assert_eq!(answer, Ok(n as usize));
    }
    committer
        .exclusive(|sink| {
            assert_eq!(sink.writes, 10);
            assert_eq!(sink.syncs.load(Ordering::Relaxed), 0);
        })
        .expect("the sink");
}

#[test]
fn threads_share_writes_and_syncs() {
    let syncs = Arc::new(AtomicUsize::new(0));
    let committer = committer(Memory {
        slow: Duration::from_micros(200),
        syncs: Arc::clone(&syncs),
        ..Default::default()
    });
    let threads: Vec<_> = (0..20)
        .map(|thread| {
            let committer = committer.clone();
            std::thread::spawn(move || {
                let append = |n| committer.append_blocking(n, 1, Durability::Synced);
                let items = thread * 100..thread * 100 + 100;
                items
                    .map(|n| (n, append(n).expect("an answer")))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let answers: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("a thread"))
        .collect();
    check(&committer, &answers);
    assert!(
        syncs.load(Ordering::Relaxed) < 1000,
        "{syncs:?} syncs of 2000 appends"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_mix_and_the_order_of_submits_is_kept() {
    let committer = committer(Memory {
        slow: Duration::from_micros(100),
        ..Default::default()
    });
    let mut tasks = Vec::new();
    for task in 0..20_u32 {
        let committer = committer.clone();
        let durability = [Durability::Buffered, Durability::Synced][task as usize % 2];
        tasks.push(tokio::spawn(async move {
            let pending: Vec<_> = (task * 100..task * 100 + 100)
                .map(|n| (n, committer.submit(n, 1, durability).expect("room")))
                .collect();
            let mut answers = Vec::new();
            for (n, answer) in pending {
                answers.push((n, answer.await.expect("an answer")));
            }
            assert!(answers.is_sorted_by_key(|(_, place)| *place));
            answers
        }));
    }
    for thread in 20..24_u32 {
        let committer = committer.clone();
        tasks.push(tokio::task::spawn_blocking(move || {
            let append = |n| committer.append_blocking(n, 1, Durability::Synced);
            let items = thread * 100..thread * 100 + 100;
            items
                .map(|n| (n, append(n).expect("an answer")))
                .collect::<Vec<_>>()
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.extend(task.await.expect("a task"));
    }
    tokio::task::spawn_blocking(move || check(&committer, &answers))
        .await
        .expect("as it was");
}

#[test]
fn a_failed_write_or_sync_or_a_panic_refuses_all_that_follows() {
    for (fails, reason) in [
        (Fails::Write, "write: disk full"),
        (Fails::Sync, "sync: I/O error"),
    ] {
        let committer = committer(Memory {
            fails,
            ..Default::default()
        });
        for _ in 0..2 {
            let refused = committer.append_blocking(1, 1, Durability::Synced);
            assert_eq!(refused, Err(AppendError::Poisoned(reason.into())));
        }
        assert_eq!(committer.waiting_bytes(), 0);
    }
    let committer = committer(Memory {
        fails: Fails::Panic,
        ..Default::default()
    });
    let first = committer.clone();
    std::thread::spawn(move || first.append_blocking(1, 1, Durability::Synced))
        .join()
        .expect_err("a panic");
    let refused = committer.append_blocking(1, 1, Durability::Synced);
    assert_eq!(
        refused,
        Err(AppendError::Poisoned("a panic while writing".into()))
    );
    assert_eq!(committer.waiting_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_refused_at_once() {
    let sink = Memory {
        slow: Duration::from_millis(50),
        ..Default::default()
    };
    let committer = GroupCommit::new(
        sink,
        Terms {
            capacity: 2,
            budget: Budget::new(100),
            faults: Faults::default(),
        },
    );
    let large = committer.submit(0, 1000, Durability::Synced).expect("one");
    let second = committer.submit(1, 1, Durability::Synced);
    assert!(matches!(second, Err(AppendError::Full)));
    large.await.expect("written");
    let waiting: Vec<_> = (0..10)
        .map(|n| committer.submit(n, 1, Durability::Synced))
        .collect();
    let refused = waiting
        .iter()
        .filter(|one| matches!(one, Err(AppendError::Full)));
    assert!(refused.count() >= 5);
    for pending in waiting.into_iter().flatten() {
        pending.await.expect("written");
    }
}
