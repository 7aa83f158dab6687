//! Scenarios `consume` and `follow`: what is written at a fixed rate while others receive it.
//!
//! - [`ledger`]: what was written, and who has received it
//! - `shared`: what the tasks of a delivery note together
//! - `writer`: records and entries, on a schedule that answers do not slow down
//! - `member`: a member of a consumer group; `follower`: a reader that follows a chain

mod follower;
pub(crate) mod ledger;
mod member;
mod shared;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::grpc::GrpcStore;
use crate::plan::{LogPlan, LogScenario, Via};
use follower::Follower;
use ledger::Ledger;
use load_engine::clock::Clock;
use load_engine::schedule::Schedule;
use load_engine::stop::Stop;
use load_engine::tally::{Lane, RequestOutcome};
use member::Member;
use shared::Shared;
use writer::Writer;

/// Writes in flight at most; a write that finds none free is late, which the latency from the due moment holds.
const WRITERS: usize = 64;

/// Everything that a delivery needs, connected and ready to begin.
pub(super) struct Deliveries {
    writers: Vec<Writer>,
    receivers: Vec<Receiver>,
    ledger: Arc<Ledger>,
    rate: f64,
    /// Whether the first receiver is cut off at the middle of the window.
    cut: bool,
    /// How long what was written last may be on its way.
    drain: Duration,
}

/// Who receives, until it is cancelled.
enum Receiver {
    Member(Member),
    Follower(Follower),
}

impl Deliveries {
    /// Makes the partition, connects writers and receivers, and waits until all receivers are served.
    pub(super) async fn prepare(plan: &LogPlan, store: &GrpcStore) -> anyhow::Result<Self> {
        let Via::Grpc(route) = &plan.via else {
            anyhow::bail!("deliveries go over a server");
        };
        let mut writers = Vec::new();
        for worker in 0..WRITERS {
            writers.push(Writer::new(plan, store, worker).await?);
        }
        let mut receivers = Vec::new();
        match plan.scenario {
            LogScenario::Follow => {
                // A partition exists from its first entry on.
                let first = store.append(plan, 0).await?.run().await;
                anyhow::ensure!(
                    first == RequestOutcome::Acknowledged,
                    "cannot append the first entry: {first:?}"
                );
                for _ in 0..plan.concurrency {
                    receivers.push(Receiver::Follower(Follower::open(plan, store).await?));
                }
            }
            _ => {
                for number in 0..plan.concurrency {
                    receivers.push(Receiver::Member(Member::open(plan, store, number)?));
                }
                member::all_assigned(plan, store, route.timeout).await?;
            }
        }
        Ok(Self {
            writers,
            receivers,
            ledger: Arc::new(Ledger::new(plan.receipts_each())),
            rate: plan.feed.rate,
            cut: plan.feed.kill_member,
            drain: route.timeout,
        })
    }

    /// What will be known about each record.
    pub(super) fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// Writes until the clock is over, and waits until all that was acknowledged has been received, for the timeout at most.
    pub(super) async fn run(self, clock: Arc<Clock>, lane: Arc<Lane>, stop: Stop) {
        let schedule = Schedule::new(self.rate, &clock);
        let pacer = {
            let (schedule, clock) = (Arc::clone(&schedule), Arc::clone(&clock));
            tokio::task::spawn_blocking(move || schedule.pace(&clock))
        };
        let shared = Shared {
            clock: Arc::clone(&clock),
            lane,
            ledger: Arc::clone(&self.ledger),
        };
        let over = CancellationToken::new();
        let mut receiving = JoinSet::new();
        for (number, receiver) in self.receivers.into_iter().enumerate() {
            let ending = over.child_token();
            if number == 0 && self.cut {
                let (ending, ledger) = (ending.clone(), Arc::clone(&self.ledger));
                let middle = clock.measured_from() + (clock.end() - clock.measured_from()) / 2;
                receiving.spawn(async move {
                    tokio::select! {
                        () = sleep_until(Instant::from_std(middle)) => ledger.cut(number),
                        () = ending.cancelled() => {}
                    }
                    ending.cancel();
                });
            }
            let shared = shared.clone();
            receiving.spawn(async move {
                let ended = match receiver {
                    Receiver::Member(member) => member.run(&shared, &ending).await,
                    Receiver::Follower(follower) => follower.run(&shared, &ending).await,
                };
                if let Err(error) = ended {
                    shared.failed(&RequestOutcome::Failed(error));
                }
            });
        }
        let mut writing = JoinSet::new();
        for writer in self.writers {
            writing.spawn(writer.run(Arc::clone(&schedule), shared.clone()));
        }
        let mut halted = std::pin::pin!(stop.halted().cancelled());
        tokio::select! {
            biased;
            () = &mut halted => writing.abort_all(),
            () = async { while writing.join_next().await.is_some() {} } => {}
        }
        tokio::select! {
            biased;
            () = &mut halted => {}
            () = self.ledger.complete() => {}
            () = tokio::time::sleep(self.drain) => {}
        }
        over.cancel();
        while receiving.join_next().await.is_some() {}
        // Ends with the clock, which is over.
        pacer.await.ok();
    }
}
