//! Waiters that give up, sinks that fail, disks without room.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread::ThreadId;

use super::super::*;
use super::*;

/// A disk with so much room, which can be told to wait or to fail.
struct Disk {
    items: Vec<u32>,
    /// Items of a failed write that nobody has taken back.
    torn: usize,
    state: Arc<State>,
    /// A sync waits for a word on this.
    go_on: Option<mpsc::Receiver<()>>,
}

#[derive(Default)]
struct State {
    room: AtomicUsize,
    cannot_cut: Mutex<Option<io::ErrorKind>>,
    fails_to_sync: AtomicBool,
    quick: AtomicBool,
    closed: AtomicBool,
    writers: Mutex<Vec<ThreadId>>,
}

impl Sink for Disk {
    type Item = u32;
    type Answer = usize;

    fn write(&mut self, batch: &mut Vec<u32>, answers: &mut Vec<usize>) -> io::Result<()> {
        assert_eq!(self.torn, 0, "written to before it was taken back");
        let writers = &self.state.writers;
        writers
            .lock()
            .expect("a lock")
            .push(std::thread::current().id());
        for item in batch.drain(..) {
            if self.items.len() >= self.state.room.load(Ordering::SeqCst) {
                self.torn = 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            answers.push(self.items.len());
            self.items.push(item);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(go_on) = &self.go_on {
            go_on.recv().expect("a word");
        }
        if self.state.fails_to_sync.load(Ordering::SeqCst) {
            return Err(io::Error::other("I/O error"));
        }
        Ok(())
    }

    fn take_back(&mut self) -> io::Result<()> {
        if let Some(kind) = *self.state.cannot_cut.lock().expect("a lock") {
            return Err(kind.into());
        }
        self.torn = 0;
        Ok(())
    }

    fn is_quick(&self, _: &u32) -> bool {
        self.state.quick.load(Ordering::SeqCst)
    }

    fn is_closed(&self) -> bool {
        self.state.closed.load(Ordering::SeqCst)
    }
}

struct Fixture {
    committer: GroupCommit<Disk>,
    state: Arc<State>,
    faults: Faults,
    go_on: mpsc::Sender<()>,
}

fn fixture(waits: bool) -> Fixture {
    let state = Arc::new(State::default());
    state.room.store(usize::MAX, Ordering::SeqCst);
    let (go_on, waiting) = mpsc::channel();
    let disk = Disk {
        items: Vec::new(),
        torn: 0,
        state: Arc::clone(&state),
        go_on: waits.then_some(waiting),
    };
    let terms = Terms::default();
    Fixture {
        faults: terms.faults.clone(),
        committer: GroupCommit::new(disk, terms),
        state,
        go_on,
    }
}

impl Fixture {
    fn put(&self, item: u32) -> Result<usize, AppendError> {
        self.committer.append_blocking(item, 1, Durability::Synced)
    }

    fn stored(&self) -> Vec<u32> {
        let stored = self.committer.exclusive(|disk| disk.items.clone());
        stored.expect("the sink")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_gives_up_at_a_deadline_holds_nobody_up_and_the_item_is_written_all_the_same() {
    let fixture = fixture(true);
    let submit = |item| fixture.committer.submit(item, 1, Durability::Synced);
    let first = submit(1).expect("room");
    let late = tokio::time::timeout(Duration::from_millis(1), first).await;
    late.expect_err("the disk does not answer");
    let second = submit(2).expect("room");
    fixture.go_on.send(()).expect("a sync");
    fixture.go_on.send(()).expect("a sync");
    assert_eq!(second.await, Ok(1));
    assert_eq!(fixture.committer.waiting_bytes(), 0);
    let committer = fixture.committer.clone();
    let stored =
        tokio::task::spawn_blocking(move || committer.exclusive(|disk| disk.items.clone()));
    assert_eq!(stored.await.expect("a thread"), Ok(vec![1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_that_are_cancelled_give_their_bytes_back_and_others_are_answered() {
    let fixture = fixture(true);
    let submit = |item| fixture.committer.submit(item, 10, Durability::Synced);
    let first = submit(0).expect("room");
    let mut kept = Vec::new();
    for item in 1..100 {
        let pending = submit(item).expect("room");
        if item % 3 == 0 {
            kept.push((item as usize, pending));
        }
    }
    assert_eq!(fixture.committer.waiting_bytes(), 1000);
    // One batch for what waited, or a few.
    for _ in 0..200 {
        fixture.go_on.send(()).expect("a sync");
    }
    assert_eq!(first.await, Ok(0));
    for (item, pending) in kept {
        assert_eq!(pending.await, Ok(item));
    }
    assert_eq!(fixture.committer.waiting_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_writer_fails_all_who_wait_are_told_why() {
    let fixture = fixture(true);
    let submit = |item| fixture.committer.submit(item, 1, Durability::Synced);
    let waiting: Vec<_> = (0..50).map(|item| submit(item).expect("room")).collect();
    fixture.state.fails_to_sync.store(true, Ordering::SeqCst);
    for _ in 0..50 {
        fixture.go_on.send(()).expect("a sync");
    }
    let reason = AppendError::Poisoned("sync: I/O error".into());
    for pending in waiting {
        assert_eq!(pending.await, Err(reason.clone()));
    }
    // A second try would succeed, and prove nothing.
    fixture.state.fails_to_sync.store(false, Ordering::SeqCst);
    assert_eq!(submit(1).map(|_| ()), Err(reason));
    assert_eq!(fixture.committer.waiting_bytes(), 0);
    assert_eq!(
        fixture.faults.poisoned().as_deref(),
        Some("sync: I/O error")
    );
}

#[test]
fn without_room_an_append_is_refused_and_with_room_all_goes_on() {
    let fixture = fixture(false);
    fixture.state.room.store(2, Ordering::SeqCst);
    assert_eq!([fixture.put(0), fixture.put(1)], [Ok(0), Ok(1)]);
    for item in 2..5 {
        assert_eq!(fixture.put(item), Err(AppendError::NoRoom));
        assert!(fixture.faults.is_full());
    }
    fixture.state.room.store(3, Ordering::SeqCst);
    assert_eq!(fixture.put(5), Ok(2));
    assert!(!fixture.faults.is_full());
    assert_eq!(fixture.stored(), [0, 1, 5]);
    assert_eq!(
        (fixture.committer.poisoned(), fixture.faults.poisoned()),
        (None, None)
    );
    assert_eq!(fixture.committer.waiting_bytes(), 0);
}

/// Of a batch that finds room in part, each is told what came of its own item.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_batch_that_fits_in_part_each_gets_its_own_answer() {
    let fixture = fixture(true);
    fixture.state.room.store(4, Ordering::SeqCst);
    let submit = |item| fixture.committer.submit(item, 1, Durability::Synced);
    let waiting: Vec<_> = (0..8).map(|item| submit(item).expect("room")).collect();
    for _ in 0..8 {
        fixture.go_on.send(()).expect("a sync");
    }
    let mut answers = Vec::new();
    for pending in waiting {
        answers.push(pending.await);
    }
    let none = Err(AppendError::NoRoom);
    assert_eq!(answers[..4], [Ok(0), Ok(1), Ok(2), Ok(3)]);
    assert_eq!(
        answers[4..],
        [none.clone(), none.clone(), none.clone(), none]
    );
}

#[test]
fn what_cannot_be_taken_back_is_tried_again_or_refuses_for_good() {
    let fixture = fixture(false);
    fixture.state.room.store(0, Ordering::SeqCst);
    let cut = |kind| *fixture.state.cannot_cut.lock().expect("a lock") = kind;
    cut(Some(io::ErrorKind::StorageFull));
    assert_eq!(fixture.put(0), Err(AppendError::NoRoom));
    fixture.state.room.store(9, Ordering::SeqCst);
    // The sink itself says that it is not written to in this state.
    assert_eq!(fixture.put(0), Err(AppendError::NoRoom));
    cut(None);
    assert_eq!(fixture.put(0), Ok(0));
    fixture.state.room.store(0, Ordering::SeqCst);
    cut(Some(io::ErrorKind::InvalidInput));
    let refused = fixture.put(1).expect_err("no room");
    assert!(
        matches!(&refused, AppendError::Poisoned(reason) if reason.starts_with("cut: ")),
        "{refused}"
    );
    cut(None);
    fixture.state.room.store(9, Ordering::SeqCst);
    assert_eq!(fixture.put(1), Err(refused));
}

#[test]
fn a_sink_that_is_closed_is_no_fault_of_the_store() {
    let fixture = fixture(false);
    fixture.state.fails_to_sync.store(true, Ordering::SeqCst);
    fixture.state.closed.store(true, Ordering::SeqCst);
    assert!(matches!(fixture.put(1), Err(AppendError::Poisoned(_))));
    assert_eq!(fixture.faults.poisoned(), None);
}

/// Files are made and removed on threads that may wait.
#[tokio::test]
async fn a_task_writes_itself_only_what_is_quick() {
    let fixture = fixture(false);
    let here = std::thread::current().id();
    for (quick, expected) in [(true, true), (false, false)] {
        fixture.state.quick.store(quick, Ordering::SeqCst);
        let appended = fixture.committer.append(1, 1, Durability::Buffered).await;
        appended.expect("an answer");
        let writers = fixture.state.writers.lock().expect("a lock");
        assert_eq!(writers.last() == Some(&here), expected);
    }
}
