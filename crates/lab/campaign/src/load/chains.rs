//! Entries to hash-chained partitions, over REST.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::kept::{AFTER_FAILURE, Counts, Findings, Gate, PATIENCE};
use crate::client::{Client, Sent};
use crate::world::{self, World};

const PARTITIONS: usize = 2;
const WORKERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(5);
/// Entries after which a chain is left and another one begun: `verify` reads all of it each time.
const MOST_ENTRIES: u64 = 10_000;

/// What was promised since the last check, of one partition.
#[derive(Debug, Default)]
struct Ledger {
    /// By sequence number: the data.
    acknowledged: HashMap<u64, String>,
    unknown: HashSet<String>,
    /// How many chains were left: part of the name.
    left: u64,
}

pub(crate) struct Chains {
    ledgers: Vec<Arc<Mutex<Ledger>>>,
    /// The next entry to look at, of each partition.
    next: Vec<u64>,
}

fn path(partition: usize, left: u64) -> String {
    format!("/api/v1/logs/campaign-{partition}-{left}")
}

impl Chains {
    pub(crate) fn start(
        world: &World,
        (gate, counts): (&Gate, &Arc<Counts>),
        workers: &mut JoinSet<()>,
    ) -> Self {
        let ledgers: Vec<_> = (0..PARTITIONS).map(|_| Arc::default()).collect();
        for number in 0..WORKERS {
            let partition = number % PARTITIONS;
            workers.spawn(append(
                Client::new(world.http(world::EVENT_LOG), PATIENCE),
                (number, partition),
                Arc::clone(gate),
                Arc::clone(counts),
                Arc::clone(&ledgers[partition]),
            ));
        }
        Self {
            ledgers,
            next: vec![0; PARTITIONS],
        }
    }

    pub(crate) async fn check(&mut self, log: SocketAddr, findings: &mut Findings) -> Result<()> {
        let mut client = Client::new(log, PATIENCE);
        for (partition, (ledger, next)) in self.ledgers.iter().zip(&mut self.next).enumerate() {
            let path = path(partition, lock(ledger).left);
            let (_, verdict) = client
                .get(&format!("{path}/verify"))
                .await
                .context("verify")?;
            let verdict: Value = serde_json::from_slice(&verdict)?;
            if verdict["valid"] != true {
                findings.broken.push(format!("{path}/verify: {verdict}"));
            }
            let (status, entries) = client
                .get(&format!("{path}?start={next}"))
                .await
                .context("entries")?;
            ensure!(status == 200, "{path}: {status}");
            let mut ledger = lock(ledger);
            let mut acknowledged = std::mem::take(&mut ledger.acknowledged);
            let mut unknown = std::mem::take(&mut ledger.unknown);
            for line in std::str::from_utf8(&entries)?.lines() {
                let entry: Value = serde_json::from_str(line)?;
                let data = entry["data"]["id"].as_str().unwrap_or_default();
                if entry["seq"].as_u64() != Some(*next) {
                    findings
                        .broken
                        .push(format!("{path}: {} where {next} was to come", entry["seq"]));
                }
                match acknowledged.remove(next) {
                    Some(promised) if promised == data => {}
                    Some(_) => findings.lost += 1,
                    None if unknown.remove(data) => {}
                    None => findings.repeated += 1,
                }
                *next += 1;
            }
            findings.lost += acknowledged.len() as u64;
            if *next > MOST_ENTRIES {
                (*next, ledger.left) = (0, ledger.left + 1);
            }
        }
        Ok(())
    }
}

async fn append(
    mut client: Client,
    (worker, partition): (usize, usize),
    gate: Gate,
    counts: Arc<Counts>,
    ledger: Arc<Mutex<Ledger>>,
) {
    for n in 0_u64.. {
        let held = gate.read().await;
        let path = path(partition, lock(&ledger).left);
        let data = format!("{worker}-{n}");
        let body = Bytes::from(format!(r#"{{"id":"{data}"}}"#));
        let sent = client.send(Method::POST, &path, body).await;
        let seq = match &sent {
            Sent::Answer(201, body) => serde_json::from_slice::<Value>(body).ok(),
            _ => None,
        };
        let seq = seq.and_then(|answer| answer["seq"].as_u64());
        {
            let mut ledger = lock(&ledger);
            match seq {
                Some(seq) => {
                    counts.ok();
                    ledger.acknowledged.insert(seq, data);
                }
                None => {
                    counts.fail();
                    ledger.unknown.insert(data);
                }
            }
        }
        drop(held);
        tokio::time::sleep(if seq.is_some() { PAUSE } else { AFTER_FAILURE }).await;
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
