//! The load itself: threads with a runtime each, workers that call in a closed loop, and the run's result.
//!
//! - [`start`]: opens all connections, then starts the clock
//! - [`Load`]: the run while it is on, for progress and for stopping
//! - [`Outcome`]: what came of it

pub(crate) mod outcome;
pub(crate) mod schedule;
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
use crate::protocol::{Endpoint, Protocol, Wording};
use crate::tally::{Lane, Tally, WireCounts};
use crate::usage::{Usage, require};
use crate::work::{Requests, Work};
use schedule::Schedule;
use worker::Start;

/// Everything that one run needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the target speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// The path of the calls; see [`Work::default_path`].
    pub path: String,
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
    /// Open loop: requests a second, whatever the answers do; none: closed loop.
    pub rate: Option<f64>,
    /// What is asked.
    pub work: Work,
}

impl Plan {
    /// Checks what the parts alone cannot know.
    ///
    /// # Errors
    /// A sentence that names the option and what it has to be.
    pub fn check(&self) -> Result<(), Usage> {
        let Self {
            concurrency,
            connections,
            threads,
            ..
        } = *self;
        require(concurrency > 0, "--concurrency must be at least 1")?;
        require(!self.duration.is_zero(), "--duration must be more than 0")?;
        require(!self.timeout.is_zero(), "--timeout must be more than 0")?;
        require(
            (1..=concurrency).contains(&connections),
            format_args!("--connections must be 1 to --concurrency ({concurrency})"),
        )?;
        require(
            self.protocol == Protocol::Grpc || connections == concurrency,
            "over REST a connection carries one request at a time: --connections must equal --concurrency",
        )?;
        require(
            (1..=connections).contains(&threads),
            format_args!("--threads must be 1 to --connections ({connections})"),
        )?;
        require(
            self.rate.is_none_or(|rate| (0.01..=1e6).contains(&rate)),
            "--rate must be 0.01 to 1000000 requests a second",
        )?;
        self.work.check(concurrency)
    }

    fn wording(&self) -> Wording<'_> {
        Wording {
            protocol: self.protocol,
            endpoint: &self.endpoint,
            path: &self.path,
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
    schedule: Option<Arc<Schedule>>,
    pacer: Option<JoinHandle<()>>,
}

/// Opens every connection and, when all are there, starts the clock and the workers.
///
/// # Errors
/// When the plan contradicts itself or the target cannot be reached.
pub fn start(plan: Plan) -> anyhow::Result<Load> {
    plan.check()?;
    let requests = Requests::prepare(&plan.work, plan.concurrency, plan.wording())?;
    let requests = Arc::new(requests);
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
            requests: Arc::clone(&requests),
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
    let schedule = plan.rate.map(|rate| Schedule::new(rate, &clock));
    let pacer = match &schedule {
        Some(schedule) => {
            let (schedule, clock) = (Arc::clone(schedule), Arc::clone(&clock));
            let thread = std::thread::Builder::new().name("pacer".into());
            Some(thread.spawn(move || schedule.pace(&clock))?)
        }
        None => None,
    };
    let start = Start {
        clock: Arc::clone(&clock),
        schedule: schedule.clone(),
    };
    for thread in go {
        thread
            .send(start.clone())
            .ok()
            .context("a load thread ended before it began")?;
    }
    Ok(Load {
        plan,
        clock,
        started_at: OffsetDateTime::now_utc(),
        lanes,
        threads,
        schedule,
        pacer,
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
        if let Some(pacer) = self.pacer {
            let joined = tokio::task::spawn_blocking(move || pacer.join()).await?;
            anyhow::ensure!(joined.is_ok(), "the pacer panicked");
        }
        let mut tally = Tally::default();
        for lane in &self.lanes {
            tally.merge(&lane.tally());
        }
        let wire: WireCounts = self.lanes.iter().map(|lane| lane.wire.read()).sum();
        let window = (self.clock.measured_from(), self.clock.end());
        Ok(Outcome {
            intended: self
                .schedule
                .map(|schedule| schedule.due_between(window.0, window.1)),
            started_at: self.started_at,
            measured_at: self.started_at + self.plan.warmup,
            seconds: self
                .clock
                .end()
                .saturating_duration_since(self.clock.measured_from())
                .as_secs_f64(),
            interrupted: self.clock.stopped_early(),
            tally,
            ledger: self.plan.work.keys().map(|_| ledger),
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
