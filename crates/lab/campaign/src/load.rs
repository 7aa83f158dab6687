//! What the services do while things are done to them, and what they have promised.
//!
//! - [`Load`] (here): all loads, paused for a check and resumed
//! - [`client`]: HTTP/1.1 that tells what was not sent from what nobody knows
//! - [`ingest`], [`chains`], [`topics`], [`transactions`], [`balances`]: a load of each service, and the check of its promises

pub(crate) mod balances;
pub(crate) mod chains;
pub(crate) mod client;
pub(crate) mod ingest;
pub(crate) mod topics;
pub(crate) mod transactions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::sync::RwLock;
use tokio::task::JoinSet;

use crate::world::{self, World};

/// Pause of a worker whose request failed.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_millis(20);
/// Longest wait for an answer: REQUEST_TIMEOUT is 10 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Workers hold it for one request; whoever checks holds it alone.
pub(crate) type Gate = Arc<RwLock<()>>;

/// What requests came to, since the last look.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: AtomicU64,
    /// Refused, or without an answer.
    pub(crate) failed: AtomicU64,
}

impl Counts {
    pub(crate) fn ok(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Acknowledged and failed since the last call.
    pub(crate) fn take(&self) -> (u64, u64) {
        (
            self.acknowledged.swap(0, Ordering::Relaxed),
            self.failed.swap(0, Ordering::Relaxed),
        )
    }
}

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

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Acknowledged, and not there.
    pub(crate) lost: u64,
    /// There more than once, or nobody's.
    pub(crate) repeated: u64,
    /// Anything else that was promised and not kept, in words.
    pub(crate) broken: Vec<String>,
}

impl Findings {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.broken.is_empty()
    }
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
