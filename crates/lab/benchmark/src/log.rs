//! Scenarios `append`, `tail`, `verify` and `produce`: the event log, in-process (`direct`) or over gRPC, with the same
//! measuring code, so that the difference is what the network costs.
//!
//! - [`plan`]: what is asked for
//! - `operation`: one request of either kind; [`direct`], [`direct_produce`], [`grpc`], [`produce`]: how it is made
//! - [`start`], [`measure`]: the run from its beginning to its end
//! - [`outcome`]: what came of it

mod direct;
mod direct_produce;
mod grpc;
mod operation;
pub mod outcome;
pub mod plan;
mod produce;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use time::OffsetDateTime;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::clock::{Clock, Part};
use crate::load::Edge;
use crate::progress::{Progress, Standing};
use crate::stop::Stop;
use crate::tally::Lane;
use direct::DirectStore;
use grpc::GrpcStore;
use operation::{Operation, Store};
use outcome::{Audit, LogOutcome};
use plan::{LogPlan, LogScenario, Via};

/// A run while it is on.
pub struct LogRun {
    plan: LogPlan,
    store: Store,
    runtime: Runtime,
    clock: Arc<Clock>,
    started_at: OffsetDateTime,
    lane: Arc<Lane>,
    workers: JoinSet<u64>,
}

/// Connects or opens a directory, fills what is to be read, and starts the clock.
///
/// # Errors
/// When the plan contradicts itself, the target cannot be reached, or the directory cannot be used.
pub fn start(plan: LogPlan) -> anyhow::Result<LogRun> {
    plan.check()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(plan.threads)
        .thread_name("log-load")
        .enable_all()
        .build()?;
    let lane = Arc::new(Lane::default());
    let store = match &plan.via {
        Via::Direct(direct) => Store::Direct(DirectStore::open(&plan, direct)?),
        Via::Grpc(target) => {
            let connecting = GrpcStore::connect(&plan, target, Arc::clone(&lane.wire));
            Store::Grpc(runtime.block_on(connecting)?)
        }
    };
    if matches!(plan.scenario, LogScenario::Tail | LogScenario::Verify) {
        runtime.block_on(fill(&plan, &store))?;
    }
    let mut operations = Vec::new();
    for worker in 0..plan.concurrency {
        operations.push(runtime.block_on(store.operation(&plan, worker))?);
    }
    let clock = Arc::new(Clock::start(plan.warmup, plan.duration));
    let mut workers = JoinSet::new();
    for operation in operations {
        let worker = work(Arc::clone(&clock), Arc::clone(&lane), operation);
        workers.spawn_on(worker, runtime.handle());
    }
    Ok(LogRun {
        plan,
        store,
        runtime,
        clock,
        started_at: OffsetDateTime::now_utc(),
        lane,
        workers,
    })
}

/// Appends what tail and verify will read, with many appends in flight.
async fn fill(plan: &LogPlan, store: &Store) -> anyhow::Result<()> {
    const WRITERS: u64 = 64;
    let mut writers = JoinSet::new();
    for worker in 0..WRITERS {
        let mut append = store
            .operation(&plan.to_fill(), worker as usize)
            .await
            .context("cannot append what is to be read")?;
        let share = plan.entries / WRITERS + u64::from(worker < plan.entries % WRITERS);
        writers.spawn(async move {
            for _ in 0..share {
                let fate = append.run().await;
                if fate != crate::tally::Fate::Acknowledged {
                    return Err(anyhow::anyhow!(
                        "cannot append what is to be read: {fate:?}"
                    ));
                }
            }
            Ok(())
        });
    }
    while let Some(written) = writers.join_next().await {
        written??;
    }
    Ok(())
}

/// One request in flight, over and over. Gives how many it made in the window.
async fn work(clock: Arc<Clock>, lane: Arc<Lane>, mut operation: Operation) -> u64 {
    let mut measured = 0;
    let mut started = Instant::now();
    while clock.part(started) != Part::Over {
        let fate = operation.run().await;
        let ended = Instant::now();
        let part = clock.part(ended);
        measured += u64::from(part == Part::Measured);
        lane.tally().settle(part, &fate, ended - started, None);
        started = ended;
    }
    measured
}

impl LogRun {
    /// The run's time table; `stop` on it ends the run.
    pub fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    fn edge(&self) -> Edge {
        Edge {
            at: Instant::now(),
            cpu: crate::cpu::of_this_process(),
            wire: self.lane.wire.read(),
        }
    }

    fn standing(&self) -> Standing {
        let tally = self.lane.tally();
        Standing {
            done: tally.whole.acknowledged,
            errors: tally.whole.errors(),
            latencies: tally.histogram.clone(),
        }
    }
}

/// Stands by a run until it is over, or until it is told to stop, and checks what was written.
///
/// # Errors
/// When a worker panicked, or the chain cannot be checked.
pub async fn measure(
    run: LogRun,
    progress: &mut Progress,
    stop: &mut Stop,
) -> anyhow::Result<LogOutcome> {
    let clock = Arc::clone(&run.clock);
    let mut from = run.edge();
    let (mut window_open, mut interrupted) = (false, false);
    let mut ticks = tokio::time::interval(Progress::EVERY);
    ticks.tick().await; // the first comes at once
    while Instant::now() < clock.end() {
        tokio::select! {
            () = tokio::time::sleep_until(clock.measured_from().into()), if !window_open => {
                from = run.edge();
                window_open = true;
            }
            () = tokio::time::sleep_until(clock.end().into()) => {}
            _ = ticks.tick() => progress.show_standing(&clock, || run.standing()),
            () = stop.asked() => {
                clock.stop();
                interrupted = true;
            }
        }
    }
    let to = run.edge();
    progress.done();
    let from = if window_open { from } else { to };
    tokio::task::spawn_blocking(move || finish(run, interrupted, from, to)).await?
}

fn finish(mut run: LogRun, interrupted: bool, from: Edge, to: Edge) -> anyhow::Result<LogOutcome> {
    let ended: anyhow::Result<()> = run.runtime.block_on(async {
        while let Some(worker) = run.workers.join_next().await {
            worker.context("a worker panicked")?;
        }
        Ok(())
    });
    ended?;
    let tally = run.lane.tally().clone();
    let audit = match run.plan.scenario {
        LogScenario::Append => {
            let found = run.runtime.block_on(run.store.count(&run.plan))?;
            Some(Audit::judge(&tally, found))
        }
        _ => None,
    };
    let seconds = run
        .clock
        .end()
        .saturating_duration_since(run.clock.measured_from());
    Ok(LogOutcome {
        measured_at: run.started_at + run.plan.warmup,
        started_at: run.started_at,
        seconds: seconds.as_secs_f64(),
        interrupted,
        connections_opened: run.lane.wire.read().connections,
        tally,
        audit,
        plan: run.plan,
        from,
        to,
    })
}
