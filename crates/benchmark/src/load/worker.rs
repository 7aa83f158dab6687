//! One thread's share of the load: its connections, its workers, their loop.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use anyhow::Context;
use bytes::BytesMut;

use super::{GRPC_PATH, Plan};
use crate::clock::{Clock, Part};
use crate::events::ledger::Ledger;
use crate::events::{EventSet, EventSource};
use crate::protocol::grpc::{GrpcCaller, GrpcConnection};
use crate::protocol::http1::HttpCaller;
use crate::protocol::{Caller, Protocol};
use crate::tally::Lane;

/// What one thread does.
pub(super) struct Share {
    pub(super) plan: Plan,
    pub(super) number: usize,
    pub(super) events: Arc<EventSet>,
    pub(super) lane: Arc<Lane>,
}

impl Share {
    /// Connects, says so on `ready`, waits for the clock on `go`, and works until the clock says that the
    /// load is over and every answer has come or been given up.
    pub(super) fn run(
        self,
        ready: &Sender<anyhow::Result<()>>,
        go: &Receiver<Arc<Clock>>,
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
        go: &Receiver<Arc<Clock>>,
    ) -> Vec<Ledger> {
        let callers = match runtime.block_on(callers) {
            Ok(callers) => callers,
            Err(error) => {
                ready.send(Err(error)).ok();
                return Vec::new();
            }
        };
        ready.send(Ok(())).ok();
        // The other end is dropped when another thread could not connect.
        let Ok(clock) = go.recv() else {
            return Vec::new();
        };
        runtime.block_on(async {
            let mut workers = tokio::task::JoinSet::new();
            for (worker, caller) in callers {
                let source = EventSource::new(Arc::clone(&self.events), worker);
                workers.spawn(closed_loop(
                    Arc::clone(&clock),
                    Arc::clone(&self.lane),
                    caller,
                    source,
                ));
            }
            workers
                .join_all()
                .await
                .into_iter()
                .filter_map(EventSource::into_ledger)
                .collect()
        })
    }

    /// The workers of this thread: every `threads`-th.
    fn workers(&self) -> impl Iterator<Item = usize> {
        (self.number..self.plan.concurrency).step_by(self.plan.threads)
    }

    async fn http_callers(&self) -> anyhow::Result<Vec<(usize, HttpCaller)>> {
        let mut callers = Vec::new();
        for worker in self.workers() {
            let lane = Arc::clone(&self.lane);
            let caller =
                HttpCaller::connect(self.plan.endpoint.clone(), lane, self.plan.timeout).await?;
            callers.push((worker, caller));
        }
        Ok(callers)
    }

    async fn grpc_callers(&self) -> anyhow::Result<Vec<(usize, GrpcCaller)>> {
        let mut connections = Vec::new();
        for _ in (self.number..self.plan.connections).step_by(self.plan.threads) {
            let lane = Arc::clone(&self.lane);
            connections.push(
                GrpcConnection::connect(self.plan.endpoint.clone(), lane, self.plan.timeout)
                    .await?,
            );
        }
        let mut callers = Vec::new();
        for (place, worker) in self.workers().enumerate() {
            let connection = connections.get(place % connections.len().max(1));
            let connection = Arc::clone(connection.context("a thread without a connection")?);
            callers.push((worker, GrpcCaller::new(connection, GRPC_PATH).await?));
        }
        Ok(callers)
    }
}

/// Sends the next event as soon as the one before is answered.
async fn closed_loop(
    clock: Arc<Clock>,
    lane: Arc<Lane>,
    mut caller: impl Caller,
    mut source: EventSource,
) -> EventSource {
    let mut request = BytesMut::new();
    let mut started = Instant::now();
    while clock.part(started) != Part::Over {
        source.next(&mut request);
        let fate = caller.call(&mut request).await;
        let ended = Instant::now();
        lane.tally()
            .settle(clock.part(ended), &fate, ended - started);
        source.settle(&fate);
        started = ended;
    }
    source
}
