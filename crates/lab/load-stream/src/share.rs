//! What runs on each thread: a share of the subscribers, or the feed.

use std::sync::Arc;
use std::sync::mpsc::{Receiver as Wait, Sender};
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Client, ClientOutcome, Line, Stage, connect_grpc};
use crate::commits::Commits;
use crate::feed::{Fed, Feed};
use crate::plan::{LivePlan, StreamPlan};
use crate::receiver::Receiver;
use crate::tally::StreamLane;
use load_engine::clock::Clock;
use load_engine::protocol::Protocol;
use load_engine::stop::Stop;
use load_engine::tally::histogram;

/// One thread's share of the subscribers.
pub(super) struct Share {
    pub(super) plan: Arc<StreamPlan>,
    pub(super) number: usize,
    pub(super) lane: Arc<StreamLane>,
    pub(super) slow_lane: Arc<StreamLane>,
    pub(super) commits: Option<Arc<Commits>>,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) stop: Stop,
}

impl Share {
    /// Connects (and, of a live run, subscribes), says so on `ready`, waits for the clock on `go`, and reads to the
    /// end.
    pub(super) fn run(
        self,
        ready: &Sender<anyhow::Result<()>>,
        go: &Wait<Arc<Clock>>,
    ) -> Vec<ClientOutcome> {
        let prepared = runtime().and_then(|runtime| {
            let clients = runtime.block_on(self.stop.unless_asked(self.clients()))??;
            Ok((runtime, clients))
        });
        let (runtime, clients) = match prepared {
            Ok(prepared) => prepared,
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
            let mut running = JoinSet::new();
            for client in clients {
                running.spawn(client.run(Arc::clone(&clock), self.stage.clone()));
            }
            running.join_all().await
        })
    }

    async fn clients(&self) -> anyhow::Result<Vec<Client>> {
        let lines = match self.plan.protocol {
            Protocol::Rest => self.places().map(|_| Line::Sse(None)).collect(),
            Protocol::Grpc => self.grpc_lines().await?,
        };
        let mut clients = Vec::new();
        for line in lines {
            let receiver = Receiver::new(Arc::clone(&self.lane), self.commits.clone());
            let mut client = Client::new(Arc::clone(&self.plan), line, receiver);
            client.connect().await?;
            // At once: where there are thousands, the first connections would have waited for all others.
            if self.plan.live.is_some() {
                client.subscribe().await?;
            }
            clients.push(client);
        }
        clients.extend(self.slow_clients().await?);
        Ok(clients)
    }

    /// The subscribers of this thread that read slowly, each with a connection.
    async fn slow_clients(&self) -> anyhow::Result<Vec<Client>> {
        let mut clients = Vec::new();
        let Some(slow) = self.plan.slow else {
            return Ok(clients);
        };
        for _ in (self.number..slow.clients).step_by(self.plan.timing.threads) {
            let line = match self.plan.protocol {
                Protocol::Rest => Line::Sse(None),
                Protocol::Grpc => {
                    let halted = self.stop.halted();
                    Line::Grpc(connect_grpc(&self.plan, &self.slow_lane, halted).await?, 0)
                }
            };
            let receiver = Receiver::new(Arc::clone(&self.slow_lane), self.commits.clone());
            let client = Client::new(Arc::clone(&self.plan), line, receiver);
            let mut client = client.slowed(slow.events_per_second);
            client.connect().await?;
            client.subscribe().await?;
            clients.push(client);
        }
        Ok(clients)
    }

    /// The subscribers of this thread: every `threads`-th.
    fn places(&self) -> impl Iterator<Item = usize> {
        (self.number..self.plan.clients).step_by(self.plan.timing.threads)
    }

    async fn grpc_lines(&self) -> anyhow::Result<Vec<Line>> {
        let mut connections = Vec::new();
        for _ in (self.number..self.plan.route.connections).step_by(self.plan.timing.threads) {
            connections.push(connect_grpc(&self.plan, &self.lane, self.stop.halted()).await?);
        }
        let mut lines = Vec::new();
        for (place, _) in self.places().enumerate() {
            let connection = connections.get(place % connections.len().max(1));
            let connection = Arc::clone(connection.context("a thread without a connection")?);
            lines.push(Line::Grpc(connection, 0));
        }
        Ok(lines)
    }
}

/// The feed's thread: connects, says so, waits for the clock, and inserts until that says that the load is over.
pub(super) fn feed(
    live: &LivePlan,
    commits: Arc<Commits>,
    stop: &Stop,
    ready: &Sender<anyhow::Result<()>>,
    go: &Wait<Arc<Clock>>,
) -> Fed {
    let nothing = |error: &str| Fed {
        due: 0,
        committed: 0,
        commit: histogram(),
        error: Some(error.into()),
    };
    let prepared = runtime().and_then(|runtime| {
        let feed = runtime.block_on(stop.unless_asked(Feed::connect(live, commits)))??;
        Ok((runtime, feed))
    });
    let (runtime, feed) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            let text = error.to_string();
            ready.send(Err(error)).ok();
            return nothing(&text);
        }
    };
    ready.send(Ok(())).ok();
    match go.recv() {
        Ok(clock) => {
            let fed = runtime.block_on(feed.run(clock, stop));
            // Connections say goodbye; a database that is away is not waited for.
            runtime.shutdown_timeout(match stop.was_asked() {
                true => Duration::ZERO,
                false => Duration::from_secs(1),
            });
            fed
        }
        Err(_) => nothing("not begun"),
    }
}

fn runtime() -> anyhow::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
