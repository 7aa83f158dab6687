//! All open connections of a process, over all its ports.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use protect::Protection;
use slab::Slab;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::given_back::GivenBack;
use super::seat::{Busy, Limits, Seat};
use super::settings::ConnectionPolicy;
use super::unfinished::Unfinished;
use crate::open_files;

/// Connections of a process that has no other limit.
const MOST: usize = 10_000;
/// Places beyond the limit, for health.
const FOR_HEALTH: usize = 16;
/// Accepted connections that may wait for a place, so that each of them asks the idlest one to close.
const WAITING: usize = 16;
/// Open files that a process keeps for other than connections, at least.
const OTHER_FILES: usize = 64;
/// Shortest idle time before a connection is closed for another: it may have been opened a moment ago.
const IDLE_BEFORE_CLOSED_MS: u64 = 250;
/// How long a connection waits for a place.
const WAIT_FOR_PLACE: Duration = Duration::from_secs(1);
/// From one try for a place to the next.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// The connections of a process. Cheap to clone; one for all ports.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Table>);

#[derive(Debug)]
struct Table {
    policy: ConnectionPolicy,
    protection: Protection,
    most: usize,
    open: AtomicUsize,
    ports: Mutex<Vec<Weak<Seats>>>,
    begun: Instant,
    /// Milliseconds since `begun`, as of the last watch.
    clock: Arc<AtomicU64>,
    unfinished: Unfinished,
    /// Tells that a place became free.
    freed: Notify,
}

/// Of what kind the clients of a port are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// HTTP/1 and HTTP/2, a request now and then.
    Http,
    /// gRPC: connections that are meant to last.
    Grpc,
}

/// The connections of one port. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Port(Arc<Seats>);

#[derive(Debug)]
struct Seats {
    table: Arc<Table>,
    limits: Limits,
    taken: Mutex<Slab<Arc<Seat>>>,
    /// Tells that the last one has gone.
    empty: Notify,
}

impl Connections {
    /// No connection yet.
    pub fn new(policy: ConnectionPolicy) -> Self {
        Self::protected(policy, Protection::default())
    }

    /// No connection yet; all of them will be protected by `protection`.
    pub fn protected(policy: ConnectionPolicy, protection: Protection) -> Self {
        let most = most(policy.max_connections, open_files::limit());
        Self(Arc::new(Table {
            policy,
            protection,
            most,
            open: AtomicUsize::new(0),
            ports: Mutex::default(),
            begun: Instant::now(),
            clock: Arc::default(),
            unfinished: Unfinished::new(&policy),
            freed: Notify::new(),
        }))
    }

    /// The limits.
    pub fn policy(&self) -> &ConnectionPolicy {
        &self.0.policy
    }

    /// What decides about connections and calls.
    pub fn protection(&self) -> &Protection {
        &self.0.protection
    }

    /// How many connections there may be, those included that wait or are for health.
    pub fn capacity(&self) -> usize {
        self.0.most + FOR_HEALTH + WAITING
    }

    /// The bodies of all connections that have not come whole.
    pub fn unfinished(&self) -> &Unfinished {
        &self.0.unfinished
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::Acquire)
    }

    /// A port for one more server.
    pub fn port(&self, kind: PortKind) -> Port {
        let ms = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let policy = &self.0.policy;
        let limits = match kind {
            PortKind::Http => Limits {
                head: ms(policy.head_timeout),
                idle: Some(ms(policy.idle_timeout)),
                says_goodbye: false,
                age: None,
                grace: None,
            },
            PortKind::Grpc => Limits {
                head: ms(policy.head_timeout),
                idle: policy.max_idle.map(ms),
                says_goodbye: true,
                age: policy.max_age.map(ms),
                grace: policy.max_age_grace.map(ms),
            },
        };
        let seats = Arc::new(Seats {
            table: Arc::clone(&self.0),
            limits,
            taken: Mutex::default(),
            empty: Notify::new(),
        });
        lock(&self.0.ports).push(Arc::downgrade(&seats));
        Port(seats)
    }
}

/// How many connections there may be where `files` may be open.
fn most(asked: Option<usize>, files: usize) -> usize {
    let others = OTHER_FILES.max(files / 4) + FOR_HEALTH + WAITING;
    let possible = files.saturating_sub(others).max(FOR_HEALTH);
    match asked {
        Some(asked) if asked > possible => {
            tracing::warn!(
                max_connections = asked,
                open_files = files,
                connections = possible,
                "MAX_CONNECTIONS is more than the limit on open files allows: raise the limit (ulimit -n)"
            );
            possible
        }
        asked => asked.unwrap_or(MOST).min(possible),
    }
}

impl Table {
    fn tick(&self) -> u64 {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.clock.store(now, Ordering::Relaxed);
        now
    }

    /// Asks the connection that has been idle longest to close. Whether there was one.
    fn make_room(&self, now_ms: u64) -> bool {
        let before = now_ms.checked_sub(IDLE_BEFORE_CLOSED_MS);
        let ports: Vec<_> = lock(&self.ports).iter().filter_map(Weak::upgrade).collect();
        let idlest = ports
            .iter()
            .filter_map(|port| {
                let taken = lock(&port.taken);
                let idle = taken
                    .iter()
                    .filter_map(|(_, seat)| Some((seat.idle_since_ms()?, seat)));
                let (since, seat) = idle.min_by_key(|(since, _)| *since)?;
                Some((since, Arc::clone(seat)))
            })
            .min_by_key(|(since, _)| *since);
        match idlest {
            Some((since, seat)) if before.is_some_and(|before| since <= before) => {
                seat.close_if_idle();
                true
            }
            _ => false,
        }
    }
}

impl Port {
    /// Runs the watch over the connections of this port: orders what their limits ask for. It never ends; run it beside the
    /// server.
    pub async fn watch(&self) -> std::convert::Infallible {
        let limits = &self.0.limits;
        let shortest = limits
            .idle
            .into_iter()
            .chain(limits.age)
            .chain(limits.grace);
        let shortest = shortest.fold(limits.head, u64::min);
        let mut ticks = tokio::time::interval(Duration::from_millis((shortest / 8).clamp(10, 250)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut memory = GivenBack::default();
        loop {
            ticks.tick().await;
            memory.watch(self.0.table.unfinished.bytes());
            let now = self.0.table.tick();
            for (_, seat) in lock(&self.0.taken).iter() {
                seat.watch(now, limits);
            }
        }
    }

    /// A place for an accepted connection, waited for a second at most; `None` where all are taken.
    pub async fn enter(&self, stream: &TcpStream) -> Option<Seated> {
        let nodelay = stream.nodelay().unwrap_or(false);
        let begun = Instant::now();
        loop {
            let freed = self.0.table.freed.notified();
            if let Some(seated) = self.try_enter(nodelay, self.0.table.tick()) {
                return Some(seated);
            }
            if begun.elapsed() > WAIT_FOR_PLACE {
                tracing::debug!("no place for one more connection");
                return None;
            }
            // Whether it became free or not, it is tried again.
            drop(tokio::time::timeout(TRY_AGAIN, freed).await);
        }
    }

    fn try_enter(&self, nodelay: bool, now_ms: u64) -> Option<Seated> {
        let table = &self.0.table;
        let before = table.open.fetch_add(1, Ordering::AcqRel);
        let for_health = before >= table.most && !table.make_room(now_ms);
        if for_health && before >= table.most + FOR_HEALTH {
            table.open.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let seat = Arc::new(Seat::new(now_ms, nodelay, for_health));
        let place = lock(&self.0.taken).insert(Arc::clone(&seat));
        Some(Seated {
            seats: Arc::clone(&self.0),
            seat,
            place,
        })
    }

    /// Tells all connections to take no more calls.
    pub fn retire_all(&self) {
        lock(&self.0.taken)
            .iter()
            .for_each(|(_, seat)| seat.retire());
    }

    /// Ends all connections, whatever is open.
    pub fn cut_all(&self) {
        lock(&self.0.taken).iter().for_each(|(_, seat)| seat.cut());
    }

    /// Waits until no connection is open.
    pub async fn emptied(&self) {
        loop {
            let empty = self.0.empty.notified();
            if lock(&self.0.taken).is_empty() {
                return;
            }
            empty.await;
        }
    }
}

/// The place of an open connection, until it is dropped.
#[derive(Debug)]
pub struct Seated {
    seats: Arc<Seats>,
    seat: Arc<Seat>,
    place: usize,
}

impl Seated {
    /// What is known of the connection.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// What counts the requests of the connection.
    pub fn requests(&self) -> Requests {
        Requests {
            seat: Arc::clone(&self.seat),
            clock: Arc::clone(&self.seats.table.clock),
            unfinished: self.seats.table.unfinished.clone(),
            most: self.seats.table.policy.max_streams,
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.seats.table.clock.load(Ordering::Relaxed)
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut taken = lock(&self.seats.taken);
        taken.try_remove(self.place);
        if taken.is_empty() {
            self.seats.empty.notify_one();
        }
        drop(taken);
        self.seats.table.open.fetch_sub(1, Ordering::AcqRel);
        self.seats.table.freed.notify_one();
    }
}

/// Counts the requests of one connection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Requests {
    seat: Arc<Seat>,
    clock: Arc<AtomicU64>,
    unfinished: Unfinished,
    /// Requests that the connection may have in flight.
    most: u32,
}

impl Requests {
    /// Counts a request whose head is complete, until the result is dropped.
    pub fn begin(&self) -> Busy {
        Busy::new(Arc::clone(&self.seat), Arc::clone(&self.clock))
    }

    /// What is known of the connection.
    pub fn seat(&self) -> &Arc<Seat> {
        &self.seat
    }

    /// Whether the connection has more requests in flight than it may.
    pub fn are_too_many(&self) -> bool {
        self.seat.active() > self.most
    }

    /// The bodies of all connections that have not come whole.
    pub fn unfinished(&self) -> Unfinished {
        self.unfinished.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
