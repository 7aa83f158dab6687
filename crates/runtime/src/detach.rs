//! Work that is not given up halfway.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use crate::request_id;

/// A future that, dropped before its end, is finished by a task of its own: a client that leaves then closes no
/// connection to the database, as dropping a statement under way would. The work has to end by itself.
#[derive(Debug)]
pub struct DetachOnDrop<F>(Option<Pin<Box<F>>>)
where
    F: Future + Send + 'static,
    F::Output: Send;

impl<F> DetachOnDrop<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    /// Not begun yet.
    pub fn new(work: F) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl<F> Future for DetachOnDrop<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // No caller polls it after its end; it would stay pending.
        let Some(work) = &mut self.0 else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(cx);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F> Drop for DetachOnDrop<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn drop(&mut self) {
        if let Some(work) = self.0.take()
            && let Ok(handle) = Handle::try_current()
        {
            // Its log lines still belong to the request that began it.
            drop(match request_id::current() {
                Some(id) => handle.spawn(request_id::scope(id, work)),
                None => handle.spawn(work),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_is_dropped_is_finished_all_the_same() {
        let (go_on, waiting) = oneshot::channel::<()>();
        let (done, finished) = oneshot::channel();
        let mut work = DetachOnDrop::new(async move {
            waiting.await.expect("sent");
            done.send(()).expect("the test waits");
        });
        assert!(futures_util::poll!(&mut work).is_pending());
        drop(work);
        go_on.send(()).expect("the work waits");
        finished.await.expect("finished");
    }
}
