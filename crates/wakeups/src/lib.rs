//! Wake-ups of another thread's tasks, many for one system call.
//!
//! Waking a task of another thread's runtime writes to an eventfd. A face whose worker threads each have a runtime of their
//! own (actix-web) would pay that for every answer that comes from elsewhere. Here whoever answers many requests at once
//! [gathers](gather) the wake-ups: each thread gets all of its own in one, and a task on that thread passes them on,
//! which costs nothing.

use std::cell::{OnceCell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::Notify;

thread_local! {
    static INBOX: OnceCell<Arc<Inbox>> = const { OnceCell::new() };
    static GATHERED: RefCell<Option<Gathered>> = const { RefCell::new(None) };
}

/// Lets [`Forwarded`] futures of the current thread be woken together. Call it on each thread whose tasks never move to
/// another one, inside its `LocalSet`. It ends with the thread's runtime.
pub fn open_on_this_thread() {
    INBOX.with(|known| {
        let inbox = Arc::new(Inbox::default());
        if known.set(Arc::clone(&inbox)).is_ok() {
            drop(tokio::task::spawn_local(deliver(inbox)));
        }
    });
}

/// Passes on the wake-ups that have arrived.
async fn deliver(inbox: Arc<Inbox>) {
    let mut arrived = Vec::new();
    loop {
        inbox.arrival.notified().await;
        std::mem::swap(&mut arrived, &mut *inbox.lock());
        arrived.drain(..).for_each(Waker::wake);
    }
}

/// Runs `answers`, and then wakes what it woke, thread by thread.
pub fn gather<T>(answers: impl FnOnce() -> T) -> T {
    let _outer = Outer(GATHERED.replace(Some(Gathered::default())));
    answers()
}

/// What a thread gathered before; gathered again when this is dropped, by a panic too: wake-ups must not be kept for good.
struct Outer(Option<Gathered>);

impl Drop for Outer {
    fn drop(&mut self) {
        drop(GATHERED.replace(self.0.take()));
    }
}

/// Wake-ups on their way, sorted by thread; sent when dropped.
#[derive(Default)]
struct Gathered(Vec<(Arc<Inbox>, Vec<Waker>)>);

impl Gathered {
    fn add(&mut self, inbox: Arc<Inbox>, task: Waker) {
        let mut known = self.0.iter_mut();
        match known.find(|(known, _)| Arc::ptr_eq(known, &inbox)) {
            Some((_, tasks)) => tasks.push(task),
            None => self.0.push((inbox, vec![task])),
        }
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        for (inbox, tasks) in self.0.drain(..) {
            inbox.wake(tasks);
        }
    }
}

/// The wake-ups that one thread is to pass on.
#[derive(Default)]
struct Inbox {
    tasks: Mutex<Vec<Waker>>,
    arrival: Notify,
}

impl Inbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, tasks: impl IntoIterator<Item = Waker>) {
        self.lock().extend(tasks);
        self.arrival.notify_one();
    }
}

/// What a [`Forwarded`] future is woken through.
struct Relay {
    inbox: Arc<Inbox>,
    task: Waker,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        let Self { inbox, task } = Arc::unwrap_or_clone(self);
        GATHERED.with_borrow_mut(|gathered| match gathered {
            Some(gathered) => gathered.add(inbox, task),
            None => inbox.wake([task]),
        });
    }
}

impl Clone for Relay {
    fn clone(&self) -> Self {
        Self {
            inbox: Arc::clone(&self.inbox),
            task: self.task.clone(),
        }
    }
}

/// A future that is completed on another thread. On a thread without [`open_on_this_thread`] it is polled as it is.
#[derive(Debug)]
pub struct Forwarded<F>(pub F);

impl<F: Future + Unpin> Future for Forwarded<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(inbox) = INBOX.with(|inbox| inbox.get().cloned()) else {
            return Pin::new(&mut self.0).poll(context);
        };
        let task = context.waker().clone();
        let relay = Waker::from(Arc::new(Relay { inbox, task }));
        Pin::new(&mut self.0).poll(&mut Context::from_waker(&relay))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    async fn on_an_open_thread(test: impl Future<Output = ()>) {
        tokio::task::LocalSet::new()
            .run_until(async {
                open_on_this_thread();
                open_on_this_thread();
                test.await;
            })
            .await;
    }

    fn channels(number: usize) -> (Vec<oneshot::Sender<usize>>, Vec<oneshot::Receiver<usize>>) {
        (0..number).map(|_| oneshot::channel()).unzip()
    }

    async fn each_gets_its_own(receivers: Vec<oneshot::Receiver<usize>>) {
        let waiting: Vec<_> = receivers
            .into_iter()
            .map(|receiver| tokio::task::spawn_local(Forwarded(receiver)))
            .collect();
        for (number, answer) in waiting.into_iter().enumerate() {
            assert_eq!(answer.await.unwrap(), Ok(number));
        }
    }

    #[tokio::test]
    async fn answers_given_together_reach_all() {
        on_an_open_thread(async {
            let (senders, receivers) = channels(100);
            let (first, then) = oneshot::channel();
            let thread = std::thread::spawn(move || {
                then.blocking_recv().unwrap();
                gather(|| {
                    for (number, sender) in senders.into_iter().enumerate() {
                        sender.send(number).unwrap();
                    }
                    // Nobody is woken before the end of the closure.
                    GATHERED.with_borrow(|gathered| {
                        let gathered = &gathered.as_ref().unwrap().0;
                        assert_eq!(
                            gathered.iter().map(|(_, tasks)| tasks.len()).sum::<usize>(),
                            100
                        );
                        assert_eq!(gathered.len(), 1, "one thread");
                    });
                });
            });
            let all = tokio::task::spawn_local(each_gets_its_own(receivers));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            first.send(()).unwrap();
            all.await.unwrap();
            thread.join().unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn an_answer_given_alone_reaches_its_task() {
        on_an_open_thread(async {
            let (senders, receivers) = channels(3);
            let thread = std::thread::spawn(move || {
                for (number, sender) in senders.into_iter().enumerate() {
                    // The pace of answers that come alone.
                    std::thread::sleep(std::time::Duration::from_millis(5));
                    sender.send(number).unwrap();
                }
            });
            each_gets_its_own(receivers).await;
            thread.join().unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn a_panic_while_answering_keeps_no_wake_up() {
        on_an_open_thread(async {
            let (senders, receivers) = channels(2);
            let (first, then) = oneshot::channel();
            // The end of the thread would send what it kept.
            let (woken, stay) = oneshot::channel::<()>();
            let thread = std::thread::spawn(move || {
                then.blocking_recv().unwrap();
                let mut senders = senders.into_iter();
                let one = senders.next().unwrap();
                let answers = std::panic::AssertUnwindSafe(|| {
                    gather(|| {
                        one.send(0).unwrap();
                        panic!("while answering");
                    })
                });
                assert!(std::panic::catch_unwind(answers).is_err());
                senders.next().unwrap().send(1).unwrap();
                drop(stay.blocking_recv());
            });
            let all = tokio::task::spawn_local(each_gets_its_own(receivers));
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            first.send(()).unwrap();
            let limit = std::time::Duration::from_secs(10);
            tokio::time::timeout(limit, all).await.unwrap().unwrap();
            drop(woken);
            thread.join().unwrap();
        })
        .await;
    }

    #[tokio::test]
    async fn elsewhere_a_future_is_polled_as_it_is() {
        let (sender, receiver) = oneshot::channel();
        gather(|| sender.send(1).unwrap());
        assert_eq!(Forwarded(receiver).await, Ok(1));
    }
}
