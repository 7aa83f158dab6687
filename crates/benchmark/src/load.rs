//! The load itself: threads with a runtime each, workers that call in a closed loop, and the run's result.
//!
//! - [`start`]: opens all connections, then starts the clock
//! - [`Load`]: the run while it is on, for progress and for stopping
//! - [`Outcome`]: what came of it

mod outcome;
mod worker;

pub use outcome::{Edge, Outcome};

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::events::ledger::Ledger;
use crate::events::{Encoding, EventPlan, EventSet};
use crate::protocol::{Endpoint, Protocol};
use crate::tally::{Lane, Tally, WireCounts};

/// REST path of scenario `ingest`.
const REST_PATH: &str = "/api/v1/events";
/// gRPC path of scenario `ingest`.
const GRPC_PATH: &str = "/com.example.grpc.EventService/ProcessEvent";

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the target speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Requests in flight.
    pub concurrency: usize,
    /// Connections that carry them; REST has one request in flight on each.
    pub connections: usize,
    /// Threads that make the load.
    pub threads: usize,
    /// Load before the measured window.
    pub warmup: Duration,
    /// The measured window.
    pub duration: Duration,
    /// Limit per request.
    pub timeout: Duration,
    /// What is sent.
    pub events: EventPlan,
}

impl Plan {
    /// Checks what the parts alone cannot know.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> anyhow::Result<()> {
        let Self {
            concurrency,
            connections,
            threads,
            ..
        } = *self;
        anyhow::ensure!(concurrency > 0, "--concurrency must be at least 1");
        anyhow::ensure!(!self.duration.is_zero(), "--duration must be more than 0");
        anyhow::ensure!(!self.timeout.is_zero(), "--timeout must be more than 0");
        anyhow::ensure!(
            (1..=concurrency).contains(&connections),
            "--connections must be 1 to --concurrency ({concurrency})"
        );
        anyhow::ensure!(
            self.protocol == Protocol::Grpc || connections == concurrency,
            "over REST a connection carries one request at a time: --connections must equal --concurrency"
        );
        anyhow::ensure!(
            (1..=connections).contains(&threads),
            "--threads must be 1 to --connections ({connections})"
        );
        Ok(())
    }

    fn encoding(&self) -> Encoding {
        match self.protocol {
            Protocol::Rest => Encoding::Rest {
                authority: self.endpoint.authority.clone(),
                path: REST_PATH.into(),
            },
            Protocol::Grpc => Encoding::Grpc,
        }
    }
}

/// A run while it is on.
pub struct Load {
    plan: Plan,
    clock: Arc<Clock>,
    started_at: OffsetDateTime,
    lanes: Vec<Arc<Lane>>,
    threads: Vec<JoinHandle<Vec<Ledger>>>,
}

/// Opens every connection and, when all are there, starts the clock and the workers.
///
/// # Errors
/// When the plan contradicts itself or the target cannot be reached.
pub fn start(plan: Plan) -> anyhow::Result<Load> {
    plan.check()?;
    let events = EventSet::prepare(plan.events.clone(), plan.concurrency, &plan.encoding())?;
    let events = Arc::new(events);
    let (ready, is_ready) = mpsc::channel();
    let mut lanes = Vec::new();
    let mut threads = Vec::new();
    let mut go = Vec::new();
    for number in 0..plan.threads {
        let lane = Arc::new(Lane::default());
        let (clock, wait) = mpsc::channel();
        let share = worker::Share {
            plan: plan.clone(),
            number,
            events: Arc::clone(&events),
            lane: Arc::clone(&lane),
        };
        let ready = ready.clone();
        let thread = std::thread::Builder::new().name(format!("load-{number}"));
        threads.push(thread.spawn(move || share.run(&ready, &wait))?);
        lanes.push(lane);
        go.push(clock);
    }
    drop(ready);
    for _ in 0..plan.threads {
        is_ready
            .recv()
            .context("a load thread ended before it was ready")?
            .with_context(|| format!("cannot connect to {}", plan.endpoint.authority))?;
    }
    let clock = Arc::new(Clock::start(plan.warmup, plan.duration));
    for thread in go {
        thread
            .send(Arc::clone(&clock))
            .ok()
            .context("a load thread ended before it began")?;
    }
    Ok(Load {
        plan,
        clock,
        started_at: OffsetDateTime::now_utc(),
        lanes,
        threads,
    })
}

impl Load {
    /// The run's time table; `stop` on it ends the load.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// What has been counted so far.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for lane in &self.lanes {
            sum.merge(&lane.tally());
        }
        sum
    }

    /// Counters at this moment; the difference of two belongs to the time between.
    pub fn edge(&self) -> Edge {
        Edge {
            at: Instant::now(),
            cpu: crate::cpu::of_this_process(),
            wire: self.wire(),
        }
    }

    /// Waits for the answers to what is in flight (at most the time limit of a request) and sums up.
    ///
    /// # Errors
    /// When a load thread panicked.
    pub async fn finish(self, from: Edge, to: Edge) -> anyhow::Result<Outcome> {
        let mut ledger = Ledger::default();
        for thread in self.threads {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
            let Ok(ledgers) = joined else {
                anyhow::bail!("a load thread panicked")
            };
            ledgers.into_iter().for_each(|share| ledger.merge(share));
        }
        let mut tally = Tally::default();
        for lane in &self.lanes {
            tally.merge(&lane.tally());
        }
        let wire: WireCounts = self.lanes.iter().map(|lane| lane.wire.read()).sum();
        Ok(Outcome {
            started_at: self.started_at,
            measured_at: self.started_at + self.plan.warmup,
            seconds: self
                .clock
                .end()
                .saturating_duration_since(self.clock.measured_from())
                .as_secs_f64(),
            interrupted: self.clock.stopped_early(),
            tally,
            ledger: self.plan.events.keys.map(|_| ledger),
            connections_opened: wire.connections,
            from,
            to,
            plan: self.plan,
        })
    }

    fn wire(&self) -> WireCounts {
        self.lanes.iter().map(|lane| lane.wire.read()).sum()
    }
}
