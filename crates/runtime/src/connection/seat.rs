//! What is known of one connection. Its server, the requests on it and the watch over all connections share it.
//!
//! Times are milliseconds of the table's clock, which moves with each watch: no request asks the operating system for the
//! time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

/// The head of a request did not come in time.
const HEAD_IS_LATE: u8 = 1;
/// Too long without a request, or the place is needed by another.
const CLOSE_IF_IDLE: u8 = 2;
/// No more calls; those that are open go on.
const RETIRE: u8 = 4;
/// The end, whatever is open.
const CUT: u8 = 8;

/// One connection.
#[derive(Debug, Default)]
pub struct Seat {
    accepted_ms: u64,
    /// When the head began that is not complete yet, plus one; 0: there is none.
    head_since_ms: AtomicU64,
    /// When the last request ended, or the connection was accepted.
    idle_since_ms: AtomicU64,
    /// Requests in flight.
    active: AtomicU32,
    orders: AtomicU8,
    /// Of the task that reads the connection.
    waker: AtomicWaker,
    nodelay: bool,
    for_health: bool,
}

/// How long a connection may take for what, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) head: u64,
    pub(super) idle: Option<u64>,
    /// Whether an idle connection is told to go away before it is closed.
    pub(super) says_goodbye: bool,
    pub(super) age: Option<u64>,
    /// From the age on.
    pub(super) grace: Option<u64>,
}

impl Seat {
    /// A connection that was accepted at `now_ms`, and whose first head begins then.
    pub(super) fn new(now_ms: u64, nodelay: bool, for_health: bool) -> Self {
        Self {
            accepted_ms: now_ms,
            head_since_ms: AtomicU64::new(now_ms + 1),
            idle_since_ms: AtomicU64::new(now_ms),
            nodelay,
            for_health,
            ..Self::default()
        }
    }

    /// Whether TCP_NODELAY was set when the connection was accepted, as the operating system says.
    pub fn nodelay(&self) -> bool {
        self.nodelay
    }

    /// Whether all places are taken, and only health is answered here.
    pub fn is_for_health(&self) -> bool {
        self.for_health
    }

    /// Whether the connection takes no more calls.
    pub fn is_retired(&self) -> bool {
        self.has(RETIRE)
    }

    /// Requests in flight.
    pub(super) fn active(&self) -> u32 {
        self.active.load(Ordering::Acquire)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.active() == 0
    }

    /// Bytes of a head came.
    pub(super) fn head_came(&self, now_ms: u64) {
        if self.head_since_ms.load(Ordering::Relaxed) == 0 {
            self.head_since_ms.store(now_ms + 1, Ordering::Relaxed);
        }
    }

    /// No head is under way.
    pub(super) fn head_is_complete(&self) {
        self.head_since_ms.store(0, Ordering::Relaxed);
    }

    /// The task to wake for an order.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Whether the connection is to end now: it is cut, or it is idle and was asked to close.
    pub(super) fn is_over(&self) -> bool {
        let orders = self.orders.load(Ordering::Acquire);
        orders & CUT != 0 || (orders & (HEAD_IS_LATE | CLOSE_IF_IDLE) != 0 && self.is_idle())
    }

    /// Whether [`is_over`](Self::is_over) is for a head that did not come in time.
    pub(super) fn is_late(&self) -> bool {
        self.has(HEAD_IS_LATE)
    }

    /// The connection is to take no more calls.
    pub(super) fn retire(&self) {
        self.order(RETIRE);
    }

    /// The connection is to end, whatever is open.
    pub(super) fn cut(&self) {
        self.order(CUT);
    }

    /// The connection is to close unless a request comes first.
    pub(super) fn close_if_idle(&self) {
        self.order(CLOSE_IF_IDLE);
    }

    /// Since when it has been idle and may be closed for another; `None` where it may not.
    pub(super) fn idle_since_ms(&self) -> Option<u64> {
        let free = self.is_idle() && self.orders.load(Ordering::Relaxed) == 0;
        free.then(|| self.idle_since_ms.load(Ordering::Relaxed))
    }

    /// Orders what is due at `now_ms`.
    pub(super) fn watch(&self, now_ms: u64, limits: &Limits) {
        if let Some(age) = limits.age {
            let lived = now_ms.saturating_sub(self.accepted_ms);
            if lived >= age {
                self.retire();
            }
            if limits.grace.is_some_and(|grace| lived >= age + grace) {
                self.cut();
            }
        }
        if !self.is_idle() {
            return;
        }
        let head = self.head_since_ms.load(Ordering::Relaxed);
        if head != 0 && now_ms.saturating_sub(head - 1) >= limits.head {
            return self.order(HEAD_IS_LATE);
        }
        let idle = now_ms.saturating_sub(self.idle_since_ms.load(Ordering::Relaxed));
        if limits.idle.is_some_and(|limit| idle >= limit) {
            self.order(if limits.says_goodbye {
                RETIRE
            } else {
                CLOSE_IF_IDLE
            });
        }
    }

    fn has(&self, order: u8) -> bool {
        self.orders.load(Ordering::Acquire) & order != 0
    }

    fn order(&self, order: u8) {
        if self.orders.fetch_or(order, Ordering::AcqRel) & order == 0 {
            self.waker.wake();
        }
    }
}

/// A request in flight; its connection is not idle until this is dropped.
#[derive(Debug)]
pub struct Busy {
    seat: Arc<Seat>,
    clock: Arc<AtomicU64>,
}

impl Busy {
    /// A request whose head is complete.
    pub(super) fn new(seat: Arc<Seat>, clock: Arc<AtomicU64>) -> Self {
        seat.active.fetch_add(1, Ordering::AcqRel);
        seat.head_is_complete();
        if seat.is_late() {
            // It came after all, while the order was given.
            seat.orders.fetch_and(!HEAD_IS_LATE, Ordering::AcqRel);
        }
        Self { seat, clock }
    }

    /// The connection that it came on.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let now = self.clock.load(Ordering::Relaxed);
        self.seat.idle_since_ms.store(now, Ordering::Relaxed);
        let last = self.seat.active.fetch_sub(1, Ordering::AcqRel) == 1;
        if last && self.seat.orders.load(Ordering::Acquire) != 0 {
            self.seat.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        head: 10,
        idle: Some(75),
        says_goodbye: false,
        age: None,
        grace: None,
    };

    fn seat() -> (Arc<Seat>, Arc<AtomicU64>) {
        (
            Arc::new(Seat::new(1000, true, false)),
            Arc::new(AtomicU64::new(1000)),
        )
    }

    #[test]
    fn the_first_head_counts_from_the_accept() {
        let (seat, _) = seat();
        seat.watch(1009, &LIMITS);
        assert!(!seat.is_over());
        // A byte now and then changes nothing.
        seat.head_came(1009);
        seat.watch(1010, &LIMITS);
        assert!(seat.is_over() && seat.is_late());
    }

    #[test]
    fn a_later_head_counts_from_its_first_byte() {
        let (seat, clock) = seat();
        drop(Busy::new(Arc::clone(&seat), clock));
        seat.watch(1050, &LIMITS);
        assert!(!seat.is_over());
        seat.head_came(1050);
        seat.watch(1059, &LIMITS);
        assert!(!seat.is_over());
        seat.watch(1060, &LIMITS);
        assert!(seat.is_over() && seat.is_late());
    }

    #[test]
    fn a_busy_connection_is_neither_late_nor_idle_and_ends_when_cut() {
        let (seat, clock) = seat();
        let busy = Busy::new(Arc::clone(&seat), Arc::clone(&clock));
        seat.watch(9000, &LIMITS);
        assert!(!seat.is_over());
        clock.store(9000, Ordering::Relaxed);
        drop(busy);
        seat.watch(9074, &LIMITS);
        assert!(!seat.is_over());
        seat.watch(9075, &LIMITS);
        assert!(seat.is_over() && !seat.is_late());
        let busy = Busy::new(Arc::clone(&seat), clock);
        assert!(!seat.is_over(), "a request came first");
        seat.cut();
        assert!(seat.is_over());
        drop(busy);
    }

    #[test]
    fn age_retires_and_its_grace_cuts() {
        let limits = Limits {
            age: Some(100),
            grace: Some(20),
            says_goodbye: true,
            ..LIMITS
        };
        let (seat, clock) = seat();
        let _busy = Busy::new(Arc::clone(&seat), clock);
        seat.watch(1099, &limits);
        assert!(!seat.is_retired());
        seat.watch(1100, &limits);
        assert!(seat.is_retired() && !seat.is_over());
        seat.watch(1120, &limits);
        assert!(seat.is_over());
    }
}
