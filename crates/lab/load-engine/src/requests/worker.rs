//! One thread's share of the load: its connections, its workers, their loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::BytesMut;

use super::plan::Plan;
use crate::clock::{Clock, Part};
use crate::events::ledger::Ledger;
use crate::protocol::grpc::{GrpcCaller, GrpcConnection, WINDOWS};
use crate::protocol::http1::HttpCaller;
use crate::protocol::{Caller, Protocol};
use crate::schedule::Schedule;
use crate::stop::Stop;
use crate::tally::{Lane, RequestOutcome};
use crate::work::{Requests, Source, Work};

/// What a thread waits for when it has connected.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) clock: Arc<Clock>,
    /// None: closed loop.
    pub(super) schedule: Option<Arc<Schedule>>,
    /// Requests of all workers that are left; none: without bound.
    pub(super) left: Option<Arc<AtomicU64>>,
}

/// What one thread does.
pub(super) struct Share {
    pub(super) plan: Plan,
    pub(super) number: usize,
    pub(super) requests: Arc<Requests>,
    pub(super) lane: Arc<Lane>,
    pub(super) stop: Stop,
}

impl Share {
    /// Connects, says so on `ready`, waits for the clock on `go`, and works until the clock says that the
    /// load is over and every answer has come or been given up.
    pub(super) fn run(
        self,
        ready: &Sender<anyhow::Result<()>>,
        go: &Receiver<Start>,
    ) -> Vec<Ledger> {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                ready.send(Err(error.into())).ok();
                return Vec::new();
            }
        };
        match self.plan.protocol {
            Protocol::Rest => self.work(&runtime, self.http_callers(), ready, go),
            Protocol::Grpc => self.work(&runtime, self.grpc_callers(), ready, go),
        }
    }

    fn work<C: Caller>(
        &self,
        runtime: &tokio::runtime::Runtime,
        callers: impl Future<Output = anyhow::Result<Vec<(usize, C)>>>,
        ready: &Sender<anyhow::Result<()>>,
        go: &Receiver<Start>,
    ) -> Vec<Ledger> {
        let callers = self.stop.unless_asked(callers);
        let callers = match runtime
            .block_on(callers)
            .unwrap_or_else(|error| Err(error.into()))
        {
            Ok(callers) => callers,
            Err(error) => {
                ready.send(Err(error)).ok();
                return Vec::new();
            }
        };
        ready.send(Ok(())).ok();
        // The other end is dropped when another thread could not connect.
        let Ok(start) = go.recv() else {
            return Vec::new();
        };
        runtime.block_on(async {
            let mut workers = tokio::task::JoinSet::new();
            for (worker, caller) in callers {
                let worker = Worker {
                    clock: Arc::clone(&start.clock),
                    lane: Arc::clone(&self.lane),
                    caller,
                    source: Source::new(&self.requests, self.plan.pacing.first_worker + worker),
                    request: BytesMut::new(),
                };
                match &start.schedule {
                    None => {
                        let think_time = self.plan.pacing.think_time;
                        workers.spawn(worker.closed_loop(think_time, start.left.clone()))
                    }
                    Some(schedule) => {
                        let patience = self.plan.route.timeout;
                        workers.spawn(worker.open_loop(Arc::clone(schedule), patience))
                    }
                };
            }
            workers
                .join_all()
                .await
                .into_iter()
                .filter_map(Source::into_ledger)
                .collect()
        })
    }

    /// The workers of this thread: every `threads`-th.
    fn workers(&self) -> impl Iterator<Item = usize> {
        (self.number..self.plan.concurrency).step_by(self.plan.timing.threads)
    }

    async fn http_callers(&self) -> anyhow::Result<Vec<(usize, HttpCaller)>> {
        let mut callers = Vec::new();
        for worker in self.workers() {
            let wire = Arc::clone(&self.lane.wire);
            let (endpoint, timeout) = (self.plan.route.endpoint.clone(), self.plan.route.timeout);
            let halted = self.stop.halted();
            let caller = match self.plan.work {
                Work::Own(_) => HttpCaller::new(endpoint, wire, timeout, halted),
                _ => HttpCaller::connect(endpoint, wire, timeout, halted).await?,
            };
            callers.push((worker, caller));
        }
        Ok(callers)
    }

    async fn grpc_callers(&self) -> anyhow::Result<Vec<(usize, GrpcCaller)>> {
        let mut connections = Vec::new();
        for _ in (self.number..self.plan.route.connections).step_by(self.plan.timing.threads) {
            let wire = Arc::clone(&self.lane.wire);
            connections.push(
                GrpcConnection::connect(
                    self.plan.route.endpoint.clone(),
                    wire,
                    self.plan.route.timeout,
                    WINDOWS,
                    self.stop.halted(),
                )
                .await?,
            );
        }
        let mut callers = Vec::new();
        for (place, worker) in self.workers().enumerate() {
            let connection = connections.get(place % connections.len().max(1));
            let connection = Arc::clone(connection.context("a thread without a connection")?);
            callers.push((worker, GrpcCaller::new(connection, &self.plan.path).await?));
        }
        Ok(callers)
    }
}

/// Takes one of the requests that are left; false where none is.
fn takes_one(left: Option<&AtomicU64>) -> bool {
    let Some(left) = left else { return true };
    let less_one = |left: u64| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less_one)
        .is_ok()
}

/// One of the requests in flight, over and over.
struct Worker<C> {
    clock: Arc<Clock>,
    lane: Arc<Lane>,
    caller: C,
    source: Source,
    request: BytesMut,
}

impl<C: Caller> Worker<C> {
    /// Sends the next request as soon as the one before is answered. A request belongs to the part of the run in
    /// which its answer came.
    async fn closed_loop(mut self, think_time: Duration, left: Option<Arc<AtomicU64>>) -> Source {
        let mut started = Instant::now();
        while self.clock.part(started) != Part::Over && takes_one(left.as_deref()) {
            let fate = self.exchange().await;
            let ended = Instant::now();
            // The last answers of a bounded number belong to it, whoever has ended the load meanwhile.
            let part = match left {
                Some(_) => self.clock.part(started),
                None => self.clock.part(ended),
            };
            self.settle(fate, part, ended - started, None);
            started = ended;
            if !think_time.is_zero() {
                let until_end = self.clock.end().saturating_duration_since(ended);
                tokio::time::sleep(think_time.min(until_end)).await;
                started = Instant::now();
            }
        }
        if left.is_some_and(|left| left.load(Ordering::Relaxed) == 0) {
            self.clock.stop();
        }
        self.source
    }

    /// Sends a request at each time of the schedule that falls to this worker, late ones at once; what is late by
    /// more than `patience` is not sent any more. A request belongs to the part of the run in which it was due.
    async fn open_loop(mut self, schedule: Arc<Schedule>, patience: Duration) -> Source {
        while let Some((_, due)) = schedule.next().await {
            let started = Instant::now();
            if started.saturating_duration_since(due) > patience {
                continue;
            }
            let fate = self.exchange().await;
            let ended = Instant::now();
            let since_due = ended.saturating_duration_since(due);
            let part = self.clock.part(due);
            self.settle(fate, part, ended - started, Some(since_due));
        }
        self.source
    }

    async fn exchange(&mut self) -> RequestOutcome {
        self.source
            .exchange(&mut self.caller, &mut self.request)
            .await
    }

    fn settle(
        &mut self,
        fate: RequestOutcome,
        part: Part,
        latency: Duration,
        since_due: Option<Duration>,
    ) {
        let (fate, events) = self.source.settle(fate);
        let mut tally = self.lane.tally();
        tally.settle(part, &fate, latency, since_due);
        if let Some(events) = events {
            tally.settle_events(part, events, latency);
        }
    }
}
