//! Scenarios `append`, `tail`, `verify` and `produce`: the event log, in-process (`direct`) or over gRPC, with the same
//! measuring code, so that the difference is what the network costs. Scenarios `consume` and `follow`: from writing to
//! receipt, over gRPC.
//!
//! - [`plan`]: what is asked for
//! - `operation`: one request of either kind; [`direct`], [`direct_produce`], [`grpc`], [`produce`]: how it is made
//! - `topic`: the topic of a run that has one
//! - `deliveries`: records that are written at a fixed rate, and who receives them
//! - [`start`]: the beginning of a run; [`LogRun`]: the run while it is on
//! - [`outcome`]: what came of it

mod deliveries;
mod direct;
mod direct_produce;
mod grpc;
mod operation;
pub mod outcome;
pub mod plan;
mod produce;
mod topic;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use deliveries::Deliveries;
use deliveries::ledger::Ledger;
use direct::DirectStore;
use grpc::GrpcStore;
use load_engine::clock::{Clock, Part};
use load_engine::load::{Load, Standing, Window};
use load_engine::stop::Stop;
use load_engine::tally::{Lane, RequestOutcome, WireCounts};
use operation::{Operation, Store};
use outcome::{Audit, LogOutcome};
use plan::{LogPlan, LogScenario, Via};

/// A run while it is on.
pub struct LogRun {
    plan: LogPlan,
    store: Store,
    runtime: Runtime,
    clock: Arc<Clock>,
    lane: Arc<Lane>,
    workers: JoinSet<()>,
    /// Of a load that delivers: what was written and received.
    ledger: Option<Arc<Ledger>>,
}

/// What keeps the log busy.
enum Work {
    /// Each worker's request, over and over.
    Requests(Vec<Operation>),
    /// Writers at a fixed rate, and receivers.
    Deliveries(Box<Deliveries>),
}

/// Connects or opens a directory, fills what is to be read, and starts the clock.
///
/// # Errors
/// When the plan contradicts itself, the target cannot be reached, or the directory cannot be used; [`load_engine::stop::Interrupted`] when
/// the run is asked to stop meanwhile.
pub fn start(plan: LogPlan, stop: &Stop) -> anyhow::Result<LogRun> {
    plan.check()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(plan.timing.threads)
        .thread_name("log-load")
        .enable_all()
        .build()?;
    let lane = Arc::new(Lane::default());
    let preparing = stop.unless_asked(prepare(&plan, &lane, stop));
    let (store, work) = match runtime.block_on(preparing) {
        Ok(prepared) => prepared?,
        Err(interrupted) => {
            // What is under way on other threads is not waited for.
            runtime.shutdown_background();
            return Err(interrupted.into());
        }
    };
    let clock = Arc::new(Clock::start(plan.timing.warmup, plan.timing.duration));
    let mut workers = JoinSet::new();
    let mut ledger = None;
    match work {
        Work::Requests(operations) => {
            for operation in operations {
                let worker = repeat(
                    Arc::clone(&clock),
                    Arc::clone(&lane),
                    operation,
                    stop.clone(),
                );
                workers.spawn_on(worker, runtime.handle());
            }
        }
        Work::Deliveries(deliveries) => {
            ledger = Some(deliveries.ledger());
            let delivering = deliveries.run(Arc::clone(&clock), Arc::clone(&lane), stop.clone());
            workers.spawn_on(delivering, runtime.handle());
        }
    }
    Ok(LogRun {
        plan,
        store,
        runtime,
        clock,
        lane,
        workers,
        ledger,
    })
}

/// The open log with what is to be read in it, and what keeps it busy.
async fn prepare(plan: &LogPlan, lane: &Lane, stop: &Stop) -> anyhow::Result<(Store, Work)> {
    let store = match &plan.via {
        Via::Direct(direct) => Store::Direct(DirectStore::open(plan, direct)?),
        Via::Grpc(route) => {
            let wire = Arc::clone(&lane.wire);
            Store::Grpc(GrpcStore::connect(plan, route, wire, stop.halted()).await?)
        }
    };
    if matches!(plan.scenario, LogScenario::Tail | LogScenario::Verify) {
        fill(plan, &store).await?;
    }
    if let (true, Store::Grpc(server)) = (plan.scenario.delivers(), &store) {
        let deliveries = Deliveries::prepare(plan, server).await?;
        return Ok((store, Work::Deliveries(Box::new(deliveries))));
    }
    let mut operations = Vec::new();
    for worker in 0..plan.concurrency {
        operations.push(store.operation(plan, worker).await?);
    }
    Ok((store, Work::Requests(operations)))
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
                if fate != load_engine::tally::RequestOutcome::Acknowledged {
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

/// One request in flight, over and over.
async fn repeat(clock: Arc<Clock>, lane: Arc<Lane>, mut operation: Operation, stop: Stop) {
    let mut halted = std::pin::pin!(stop.halted().cancelled());
    let mut started = Instant::now();
    while clock.part(started) != Part::Over {
        let fate = tokio::select! {
            biased;
            fate = operation.run() => fate,
            () = &mut halted => RequestOutcome::Unanswered("interrupted".into()),
        };
        let ended = Instant::now();
        lane.tally()
            .settle(clock.part(ended), &fate, ended - started, None);
        started = ended;
    }
}

impl Load for LogRun {
    type Outcome = LogOutcome;

    fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    fn wire(&self) -> WireCounts {
        self.lane.wire.read()
    }

    fn standing(&self) -> Standing {
        let tally = self.lane.tally();
        Standing {
            done: tally.whole.acknowledged,
            errors: tally.whole.errors(),
            latencies: tally.histogram.clone(),
        }
    }

    async fn finish(self, window: Window, stop: &Stop) -> anyhow::Result<LogOutcome> {
        let stop = stop.clone();
        tokio::task::spawn_blocking(move || finish(self, window, &stop)).await?
    }
}

fn finish(mut run: LogRun, window: Window, stop: &Stop) -> anyhow::Result<LogOutcome> {
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
            let counted = run.runtime.block_on(async {
                tokio::select! {
                    biased;
                    // What was measured is given all the same.
                    () = stop.halted().cancelled() => None,
                    found = run.store.count(&run.plan) => Some(found),
                }
            });
            let found = counted.transpose()?;
            found.map(|found| Audit::judge(&tally, found))
        }
        _ => None,
    };
    if stop.was_asked() {
        // What was given up is not waited for.
        run.runtime.shutdown_background();
    }
    Ok(LogOutcome {
        connections_opened: run.lane.wire.read().connections,
        tally,
        audit,
        delivered: run.ledger.map(|ledger| ledger.delivered()),
        plan: run.plan,
        window,
    })
}
