//! One request to the log, whatever it is and however it gets there.

use crate::direct::{DirectAppend, DirectStore, DirectTail, DirectVerify};
use crate::direct_produce::DirectProduce;
use crate::grpc::{GrpcAppend, GrpcStore, GrpcTail, GrpcVerify};
use crate::plan::{LogPlan, LogScenario};
use crate::produce::GrpcProduce;
use load_engine::tally::RequestOutcome;

/// Where requests go.
pub(super) enum Store {
    Direct(DirectStore),
    Grpc(GrpcStore),
}

/// A request that can be made again and again.
pub(super) enum Operation {
    DirectAppend(DirectAppend),
    DirectTail(DirectTail),
    DirectVerify(DirectVerify),
    DirectProduce(DirectProduce),
    GrpcAppend(Box<GrpcAppend>),
    GrpcTail(GrpcTail),
    GrpcVerify(GrpcVerify),
    GrpcProduce(Box<GrpcProduce>),
}

impl Store {
    /// The requests of `worker`.
    pub(super) async fn operation(
        &self,
        plan: &LogPlan,
        worker: usize,
    ) -> anyhow::Result<Operation> {
        Ok(match (self, plan.scenario) {
            (Self::Direct(store), LogScenario::Append) => {
                Operation::DirectAppend(store.append(plan, worker))
            }
            (Self::Direct(store), LogScenario::Tail) => Operation::DirectTail(store.tail(plan)),
            (Self::Direct(store), LogScenario::Verify) => {
                Operation::DirectVerify(store.verify(plan))
            }
            (Self::Direct(store), LogScenario::Produce) => {
                Operation::DirectProduce(store.produce(plan, worker)?)
            }
            (Self::Grpc(store), LogScenario::Append) => {
                Operation::GrpcAppend(Box::new(store.append(plan, worker).await?))
            }
            (Self::Grpc(store), LogScenario::Tail) => {
                Operation::GrpcTail(store.tail(plan, worker).await?)
            }
            (Self::Grpc(store), LogScenario::Verify) => {
                Operation::GrpcVerify(store.verify(plan, worker).await?)
            }
            (Self::Grpc(store), LogScenario::Produce) => {
                Operation::GrpcProduce(Box::new(store.produce(plan, worker).await?))
            }
            (_, LogScenario::Consume | LogScenario::Follow) => {
                anyhow::bail!("scenario {} is not made of requests", plan.scenario.name())
            }
        })
    }

    /// Checks the chain that was appended to, and counts its entries.
    pub(super) async fn count(&self, plan: &LogPlan) -> anyhow::Result<u64> {
        match self {
            Self::Direct(store) => store.count(plan).await,
            Self::Grpc(store) => store.count(plan).await,
        }
    }
}

impl Operation {
    /// Makes the request, and checks the answer.
    pub(super) async fn run(&mut self) -> RequestOutcome {
        match self {
            Self::DirectAppend(operation) => operation.run().await,
            Self::DirectTail(operation) => operation.run().await,
            Self::DirectVerify(operation) => operation.run().await,
            Self::DirectProduce(operation) => operation.run(),
            Self::GrpcAppend(operation) => operation.run().await,
            Self::GrpcTail(operation) => operation.run().await,
            Self::GrpcVerify(operation) => operation.run().await,
            Self::GrpcProduce(operation) => operation.run().await,
        }
    }
}
