//! Worker threads with a runtime each.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

/// A timer that is always set. One that is set for later than the next that is due costs no system call; the first one on an
/// idle runtime wakes it, each time.
const TICK: Duration = Duration::from_millis(250);

/// Threads with a runtime each, as actix-web has them: a task stays where it began, so that no thread looks for the work of
/// another, and [`wakeups`] reach many tasks at once. Dropped, the threads end with what runs on them.
#[derive(Debug)]
pub struct Workers(Vec<Worker>);

#[derive(Debug)]
struct Worker {
    handle: Handle,
    /// What was put on it and has not ended.
    load: Arc<AtomicUsize>,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A place on a worker, counted until it is dropped.
#[derive(Debug)]
pub struct Placed(Arc<AtomicUsize>);

impl Workers {
    /// Starts `threads` workers.
    ///
    /// # Errors
    /// The operating system gives no threads.
    pub fn start(threads: usize) -> io::Result<Self> {
        let workers = (0..threads.max(1)).map(|number| Worker::start(&format!("worker-{number}")));
        workers.collect::<io::Result<_>>().map(Self)
    }

    /// The worker that has the least to do. What runs there holds the place.
    pub fn least_loaded(&self) -> Option<(&Handle, Placed)> {
        let least = self
            .0
            .iter()
            .min_by_key(|it| it.load.load(Ordering::Relaxed))?;
        least.load.fetch_add(1, Ordering::Relaxed);
        Some((&least.handle, Placed(Arc::clone(&least.load))))
    }
}

impl Worker {
    fn start(name: &str) -> io::Result<Self> {
        let (sender, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(sender.send(Err(error))),
            };
            drop(sender.send(Ok(runtime.handle().clone())));
            LocalSet::new().block_on(&runtime, async {
                crate::wakeups::open_on_this_thread();
                let mut ticks = tokio::time::interval(TICK);
                let ticking = async {
                    loop {
                        ticks.tick().await;
                    }
                };
                tokio::select! {
                    // An error is the drop of the other end.
                    _dropped = stopped => {}
                    () = ticking => {}
                }
            });
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        let ended = |_| io::Error::other("a worker thread ended at once");
        Ok(Self {
            handle: started.recv().map_err(ended)??,
            load: Arc::default(),
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(_panic)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("a worker thread ended abnormally");
        }
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_stays_on_its_worker_and_goes_to_the_least_loaded() {
        let workers = Workers::start(2).expect("threads");
        let (sender, ran) = mpsc::channel();
        let mut placed = Vec::new();
        for _ in 0..4 {
            let (handle, place) = workers.least_loaded().expect("a worker");
            let sender = sender.clone();
            handle.spawn(async move {
                let before = thread::current().id();
                tokio::task::yield_now().await;
                sender
                    .send((before, thread::current().id()))
                    .expect("the test waits");
            });
            placed.push(place);
        }
        let mut on_first = 0;
        let mut first = None;
        for _ in 0..4 {
            let (before, after) = ran.recv().expect("it ran");
            assert_eq!(before, after);
            on_first += usize::from(*first.get_or_insert(before) == before);
        }
        assert_eq!(on_first, 2);
        // The third place is free again: the next goes there.
        let freed = placed.remove(2);
        let of_freed = Arc::clone(&freed.0);
        drop(freed);
        let (_, next) = workers.least_loaded().expect("a worker");
        assert!(Arc::ptr_eq(&next.0, &of_freed));
        drop(workers);
    }
}
