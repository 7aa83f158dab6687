//! One subscriber: opens its stream, reads it, opens it again where it breaks.
//!
//! - `reading`: where a stream goes on, and what a read of it brought
//! - [`sse`]: over HTTP/1.1 by hand
//! - [`grpc`]: on `h2`

mod grpc;
mod reading;
mod sse;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;

use crate::behind::Behind;
use crate::plan::StreamPlan;
use crate::receiver::Receiver;
use load_engine::clock::Clock;
use load_engine::protocol::connection::Connection;
use load_engine::protocol::grpc::GrpcConnection;
use load_engine::tally::record;

pub(super) use grpc::connect as connect_grpc;
use reading::{From, Read};

/// How long a subscriber waits before it opens a broken stream again.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How far the run has come, as subscribers have to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Running,
    /// The feed has ended after this many commits; each subscriber waits for all of them.
    Draining(u64),
    /// Whatever has not come now is missing.
    Over,
}

/// How a subscriber reaches the server.
pub(super) enum Line {
    /// A connection of its own, until it is used.
    Sse(Option<Connection>),
    /// A place on a shared one.
    Grpc(Arc<GrpcConnection>, u64),
}

enum Opened {
    Sse(Box<sse::SseStream>),
    Grpc(Box<grpc::GrpcStream>),
}

impl Opened {
    async fn read(&mut self, receiver: &mut Receiver) -> Result<Read, String> {
        match self {
            Self::Sse(stream) => stream.read(receiver).await,
            Self::Grpc(stream) => stream.read(receiver).await,
        }
    }
}

/// Comes back when the run is over.
async fn over(stage: &mut watch::Receiver<Stage>) {
    // An error means that nobody is left to say so.
    stage.wait_for(|stage| *stage == Stage::Over).await.ok();
}

/// What became of one subscriber.
#[derive(Debug)]
pub(super) struct ClientOutcome {
    pub(super) receiver: Receiver,
    /// It had a stream at least once.
    pub(super) opened: bool,
    /// It reads slowly.
    pub(super) slow: bool,
    /// Of one that reads slowly: how far it was behind when the feed ended.
    pub(super) behind: Option<Behind>,
}

/// A subscriber.
pub(super) struct Client {
    plan: Arc<StreamPlan>,
    line: Line,
    receiver: Receiver,
    opened: Option<Opened>,
    ever_opened: bool,
    /// Of one that reads slowly.
    pace: Option<Pace>,
    behind: Option<Behind>,
}

/// Events a second that a subscriber reads at most, counted from its first read.
#[derive(Clone, Copy, Debug)]
struct Pace {
    events_per_second: f64,
    since: Option<Instant>,
}

impl Pace {
    /// When the next read is due after `received` events.
    fn next(&mut self, received: u64) -> Instant {
        let since = *self.since.get_or_insert_with(Instant::now);
        since + Duration::from_secs_f64(received as f64 / self.events_per_second)
    }
}

impl Client {
    /// One that reads as fast as it can.
    pub(super) fn new(plan: Arc<StreamPlan>, line: Line, receiver: Receiver) -> Self {
        Self {
            plan,
            line,
            receiver,
            opened: None,
            ever_opened: false,
            pace: None,
            behind: None,
        }
    }

    /// Makes it one that reads at most so many events a second.
    pub(super) fn slowed(mut self, events_per_second: f64) -> Self {
        self.pace = Some(Pace {
            events_per_second,
            since: None,
        });
        self
    }

    /// Connects over server-sent events; gRPC connections are shared and opened before.
    pub(super) async fn connect(&mut self) -> std::io::Result<()> {
        if let Line::Sse(connection) = &mut self.line {
            let begun = Instant::now();
            let lane = &self.receiver.lane;
            let opened = self
                .plan
                .route
                .endpoint
                .connect(self.plan.route.timeout, &lane.wire);
            *connection = Some(opened.await?);
            record(&mut lane.tally().connect, begun.elapsed());
        }
        Ok(())
    }

    /// Opens the stream before the run begins, so that it is there when the first transaction is committed.
    pub(super) async fn subscribe(&mut self) -> anyhow::Result<()> {
        let opened = self.open().await.map_err(anyhow::Error::msg);
        self.opened = Some(opened.context("cannot subscribe")?);
        Ok(())
    }

    /// Reads until the limit, or until the run is over and all that is awaited has come.
    pub(super) async fn run(
        mut self,
        clock: Arc<Clock>,
        mut stage: watch::Receiver<Stage>,
    ) -> ClientOutcome {
        self.receiver.clock = Some(clock);
        while !self.complete(*stage.borrow()) {
            let (broke, kind) = match self.opened.take() {
                Some(opened) => match self.read(opened, &mut stage).await {
                    Ok(()) => break,
                    Err(kind) => (true, kind),
                },
                None => {
                    let opened = tokio::select! {
                        biased;
                        opened = self.open() => opened,
                        () = over(&mut stage) => break,
                    };
                    match opened {
                        Ok(opened) => {
                            self.opened = Some(opened);
                            continue;
                        }
                        Err(kind) => (false, kind),
                    }
                }
            };
            {
                let mut tally = self.receiver.lane.tally();
                tally.breaks += u64::from(broke);
                tally.error(&kind);
            }
            // What is refused at first would be refused again.
            if !self.ever_opened {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_PAUSE) => {}
                _ = stage.changed() => {}
            }
        }
        ClientOutcome {
            receiver: self.receiver,
            opened: self.ever_opened,
            slow: self.pace.is_some(),
            behind: self.behind,
        }
    }

    /// Reads an open stream to its end; an error is a stream that ended before its time.
    async fn read(
        &mut self,
        mut opened: Opened,
        stage: &mut watch::Receiver<Stage>,
    ) -> Result<(), String> {
        loop {
            let due = self.pace.as_mut();
            let due = due.map(|pace| pace.next(self.receiver.order.received));
            let reading = async {
                if let Some(due) = due {
                    tokio::time::sleep_until(due.into()).await;
                }
                opened.read(&mut self.receiver).await
            };
            let read = tokio::select! {
                biased;
                read = reading => read?,
                _ = stage.changed() => Read::More,
            };
            if self.complete(*stage.borrow()) {
                return Ok(());
            }
            if matches!(read, Read::End) {
                let limit = self.plan.limit.unwrap_or(u64::MAX);
                return match self.receiver.order.received {
                    received if received >= limit => Ok(()),
                    _ => Err("stream ended early".into()),
                };
            }
        }
    }

    fn complete(&mut self, stage: Stage) -> bool {
        match stage {
            Stage::Running => false,
            // One that reads slowly would have minutes to catch up with; how far it is behind is its figure.
            Stage::Draining(committed) if self.pace.is_some() => {
                self.behind = Some(self.receiver.behind(committed));
                true
            }
            Stage::Draining(committed) => self.receiver.fed >= committed,
            Stage::Over => true,
        }
    }

    async fn open(&mut self) -> Result<Opened, String> {
        let from = From {
            after: self.receiver.order.highest(),
            received: self.receiver.order.received,
        };
        let asked = Instant::now();
        if !self.ever_opened {
            self.receiver.asked = Some(asked);
        }
        let (plan, lane) = (&self.plan, &self.receiver.lane);
        let read_bytes = match self.pace {
            Some(_) => sse::SLOW_READ_BYTES,
            None => sse::READ_BYTES,
        };
        let opening = async {
            match &mut self.line {
                Line::Sse(connection) => {
                    // The target may have closed one that has waited long.
                    let mut kept = connection.take();
                    if let Some(connection) = &mut kept
                        && !connection.is_open().await
                    {
                        kept = None;
                    }
                    let connection = match kept {
                        Some(connection) => connection,
                        None => {
                            let connected = plan
                                .route
                                .endpoint
                                .connect(plan.route.timeout, &lane.wire)
                                .await;
                            connected.map_err(|error| format!("connect: {}", error.kind()))?
                        }
                    };
                    let stream = sse::SseStream::open(connection, plan, from, read_bytes).await?;
                    Ok::<_, String>(Opened::Sse(Box::new(stream)))
                }
                Line::Grpc(connection, generation) => {
                    let stream = grpc::GrpcStream::open(connection, generation, plan, from).await?;
                    Ok(Opened::Grpc(Box::new(stream)))
                }
            }
        };
        let opened = tokio::time::timeout(self.plan.route.timeout, opening)
            .await
            .unwrap_or_else(|_| Err("timeout".into()))?;
        self.ever_opened = true;
        record(&mut lane.tally().open, asked.elapsed());
        Ok(opened)
    }
}
