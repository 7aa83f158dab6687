//! What the services do while things are done to them, and what they have promised.
//!
//! - [`Load`] (here): all loads, paused for a check and resumed
//! - [`kept`]: what all loads share, and what a check found
//! - [`ingest`], [`chains`], [`topics`], [`transactions`], [`balances`]: a load of each service, and the check of its promises

pub(crate) mod balances;
pub(crate) mod chains;
pub(crate) mod ingest;
pub(crate) mod kept;
pub(crate) mod topics;
pub(crate) mod transactions;

use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinSet;

use kept::{Counts, Findings, Gate};

use crate::world::{self, World};

/// All loads.
pub(crate) struct Load {
    pub(crate) gate: Gate,
    pub(crate) counts: Arc<Counts>,
    ingest: ingest::Ingest,
    chains: chains::Chains,
    topics: topics::Topics,
    transactions: transactions::Transactions,
    balances: balances::Balances,
    workers: JoinSet<()>,
}

impl Load {
    /// Starts the workers of every load.
    pub(crate) async fn start(world: &World) -> Result<Self> {
        let gate = Gate::default();
        let counts = Arc::new(Counts::default());
        let mut workers = JoinSet::new();
        let shared = (&gate, &counts);
        Ok(Self {
            ingest: ingest::Ingest::start(world, shared, &mut workers)?,
            chains: chains::Chains::start(world, shared, &mut workers),
            topics: topics::Topics::start(world, shared, &mut workers).await?,
            transactions: transactions::Transactions::start(world, shared, &mut workers),
            balances: balances::Balances::start(world, shared, &mut workers).await?,
            gate,
            counts,
            workers,
        })
    }

    /// Streams that were broken and resumed, as of the last check.
    pub(crate) fn streams_resumed(&self) -> u64 {
        self.transactions.resumed()
    }

    /// Pauses all workers, checks every promise that was made since the last check, and lets them go on.
    pub(crate) async fn check(&mut self, world: &World) -> Result<Findings> {
        let gate = Arc::clone(&self.gate);
        let _alone = gate.write().await;
        let mut findings = Findings::default();
        self.ingest.check(world, &mut findings).await?;
        self.chains
            .check(world.http(world::EVENT_LOG), &mut findings)
            .await?;
        self.topics
            .check(world.http(world::EVENT_LOG), &mut findings)
            .await?;
        self.transactions.check(&mut findings).await?;
        self.balances.check(&mut findings);
        while let Some(ended) = self.workers.try_join_next() {
            findings.broken.push(match ended {
                Ok(()) => "a worker of the campaign ended".to_owned(),
                Err(error) => format!("a worker of the campaign ended: {error}"),
            });
        }
        Ok(findings)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.workers.abort_all();
    }
}
