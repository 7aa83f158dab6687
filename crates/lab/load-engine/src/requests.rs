//! Loads of requests: threads with a runtime each, workers that call in a closed or an open loop.
//!
//! - [`plan`]: what is asked for; `worker`: one thread's share
//! - [`start`]: opens all connections, then starts the clock
//! - [`RequestLoad`]: the run while it is on
//! - [`outcome`]: what came of it

pub mod outcome;
pub mod plan;
mod worker;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::Context;

use crate::clock::Clock;
use crate::events::ledger::Ledger;
use crate::load::{Load, Standing, Window};
use crate::records::make_topic;
use crate::schedule::Schedule;
use crate::stop::Stop;
use crate::tally::{Lane, Tally, WireCounts};
use crate::work::{Requests, Work};
use outcome::Outcome;
use plan::Plan;
use worker::Start;

/// A run while it is on.
pub struct RequestLoad {
    plan: Plan,
    clock: Arc<Clock>,
    lanes: Vec<Arc<Lane>>,
    threads: Vec<JoinHandle<Vec<Ledger>>>,
    schedule: Option<Arc<Schedule>>,
    pacer: Option<JoinHandle<()>>,
}

/// Opens every connection and, when all are there, starts the clock and the workers.
///
/// # Errors
/// When the plan contradicts itself or the target cannot be reached; [`crate::stop::Interrupted`] when the run is asked to
/// stop meanwhile.
pub fn start(plan: Plan, stop: &Stop) -> anyhow::Result<RequestLoad> {
    plan.check()?;
    let workers = plan.pacing.first_worker + plan.concurrency;
    let requests = Requests::prepare(
        &plan.work,
        workers,
        plan.wording(),
        plan.route.timeout,
        stop,
    )?;
    begin_work(&plan, stop)?;
    let requests = Arc::new(requests);
    let (ready, is_ready) = mpsc::channel();
    let mut lanes = Vec::new();
    let mut threads = Vec::new();
    let mut go = Vec::new();
    for number in 0..plan.timing.threads {
        let lane = Arc::new(Lane::default());
        let (clock, wait) = mpsc::channel();
        let share = worker::Share {
            plan: plan.clone(),
            number,
            requests: Arc::clone(&requests),
            lane: Arc::clone(&lane),
            stop: stop.clone(),
        };
        let ready = ready.clone();
        let thread = std::thread::Builder::new().name(format!("load-{number}"));
        threads.push(thread.spawn(move || share.run(&ready, &wait))?);
        lanes.push(lane);
        go.push(clock);
    }
    drop(ready);
    for _ in 0..plan.timing.threads {
        is_ready
            .recv()
            .context("a load thread ended before it was ready")?
            .with_context(|| format!("cannot connect to {}", plan.route.endpoint.authority))?;
    }
    let warmup = match plan.pacing.measured_from {
        Some(at) => at.checked_duration_since(Instant::now()).context(
            "not every connection was open when the measured window was to begin: begin it later",
        )?,
        None => plan.timing.warmup,
    };
    let clock = Arc::new(Clock::start(warmup, plan.timing.duration));
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
        left: plan
            .pacing
            .requests
            .map(|most| Arc::new(AtomicU64::new(most))),
    };
    for thread in go {
        thread
            .send(start.clone())
            .ok()
            .context("a load thread ended before it began")?;
    }
    Ok(RequestLoad {
        plan,
        clock,
        lanes,
        threads,
        schedule,
        pacer,
    })
}

/// What has to be there before the first request of a run; loads that follow it find it.
fn begin_work(plan: &Plan, stop: &Stop) -> anyhow::Result<()> {
    let Work::Records(records) = &plan.work else {
        return Ok(());
    };
    if plan.pacing.first_worker > 0 {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let making = make_topic(records, plan.wording(), plan.route.timeout, stop);
    runtime.block_on(stop.unless_asked(making))?
}

impl RequestLoad {
    fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        for lane in &self.lanes {
            sum.merge(&lane.tally());
        }
        sum
    }
}

impl Load for RequestLoad {
    type Outcome = Outcome;
    // After its last request, where their number is bounded.
    const ENDS_BY_ITSELF: bool = true;

    fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    fn wire(&self) -> WireCounts {
        self.lanes.iter().map(|lane| lane.wire.read()).sum()
    }

    fn standing(&self) -> Standing {
        let tally = self.tally();
        Standing {
            done: tally.whole.acknowledged,
            errors: tally.whole.errors(),
            latencies: tally.histogram,
        }
    }

    async fn finish(mut self, window: Window, _stop: &Stop) -> anyhow::Result<Outcome> {
        let mut ledger = Ledger::default();
        for thread in std::mem::take(&mut self.threads) {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
            let Ok(ledgers) = joined else {
                anyhow::bail!("a load thread panicked")
            };
            ledgers.into_iter().for_each(|share| ledger.merge(share));
        }
        if let Some(pacer) = self.pacer.take() {
            let joined = tokio::task::spawn_blocking(move || pacer.join()).await?;
            anyhow::ensure!(joined.is_ok(), "the pacer panicked");
        }
        let (from, to) = (self.clock.measured_from(), self.clock.end());
        Ok(Outcome {
            intended: self
                .schedule
                .as_ref()
                .map(|schedule| schedule.due_between(from, to)),
            tally: self.tally(),
            ledger: self.plan.work.keys().map(|_| ledger),
            wire: self.wire(),
            plan: self.plan.clone(),
            window,
        })
    }
}

/// A load that nobody stands by any more ends.
impl Drop for RequestLoad {
    fn drop(&mut self) {
        self.clock.stop();
    }
}
