//! Records to a topic, over REST with acks -1 and over gRPC.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::takhin::takhin_service_client::TakhinServiceClient;
use api::takhin::{ProduceMessageRequest, Record};
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::ingest;
use super::kept::{AFTER_FAILURE, Counts, Findings, Gate, PATIENCE};
use crate::client::{Client, Sent};
use crate::world::{self, World};

const TOPIC: &str = "campaign";
const PARTITIONS: usize = 2;
const PAUSE: Duration = Duration::from_millis(5);

/// What was promised since the last check, of one partition.
#[derive(Debug, Default)]
struct Ledger {
    /// By offset: the value.
    acknowledged: HashMap<u64, String>,
    unknown: HashSet<String>,
}

type Shared = Arc<Mutex<Ledger>>;

pub(crate) struct Topics {
    ledgers: Vec<Shared>,
    /// The next offset to look at, of each partition.
    next: Vec<u64>,
}

impl Topics {
    pub(crate) async fn start(
        world: &World,
        (gate, counts): (&Gate, &Arc<Counts>),
        workers: &mut JoinSet<()>,
    ) -> Result<Self> {
        let address = world.http(world::EVENT_LOG);
        let mut client = Client::new(address, PATIENCE);
        let body = format!(r#"{{"name":"{TOPIC}","numPartitions":{PARTITIONS}}}"#);
        let made = client
            .send(Method::POST, "/api/v1/topics", Bytes::from(body))
            .await;
        ensure!(matches!(made, Sent::Answer(201, _)), "no topic: {made:?}");
        let ledgers: Vec<Shared> = (0..PARTITIONS).map(|_| Arc::default()).collect();
        let channel = ingest::channel(world.grpc(world::EVENT_LOG))?;
        for (partition, ledger) in ledgers.iter().enumerate() {
            let worker = |name| Worker {
                name,
                partition,
                gate: Arc::clone(gate),
                counts: Arc::clone(counts),
                ledger: Arc::clone(ledger),
            };
            let rest = worker("rest");
            workers.spawn(rest.rest(Client::new(address, PATIENCE)));
            let grpc = worker("grpc");
            workers.spawn(grpc.grpc(TakhinServiceClient::new(channel.clone())));
        }
        Ok(Self {
            ledgers,
            next: vec![0; PARTITIONS],
        })
    }

    pub(crate) async fn check(&mut self, log: SocketAddr, findings: &mut Findings) -> Result<()> {
        let mut client = Client::new(log, PATIENCE);
        for (partition, (ledger, next)) in self.ledgers.iter().zip(&mut self.next).enumerate() {
            let path = format!("/api/v1/topics/{TOPIC}/partitions/{partition}/records");
            let Ledger {
                mut acknowledged,
                mut unknown,
            } = std::mem::take(&mut *ledger.lock().unwrap_or_else(PoisonError::into_inner));
            loop {
                let (status, page) = client
                    .get(&format!("{path}?offset={next}&maxBytes=1048576"))
                    .await
                    .context("records")?;
                ensure!(status == 200, "{path}?offset={next}: {status} {page:?}");
                let page: Value = serde_json::from_slice(&page)?;
                let records = page["records"].as_array().cloned().unwrap_or_default();
                for record in &records {
                    let value = record["value"].as_str().unwrap_or_default();
                    if record["offset"].as_u64() != Some(*next) {
                        let came = &record["offset"];
                        findings
                            .broken
                            .push(format!("{path}: {came} where {next} was to come"));
                    }
                    match acknowledged.remove(next) {
                        Some(promised) if promised == value => {}
                        Some(_) => findings.lost += 1,
                        None if unknown.remove(value) => {}
                        None => findings.repeated += 1,
                    }
                    *next += 1;
                }
                if page["highWatermark"]
                    .as_u64()
                    .is_none_or(|end| *next >= end)
                {
                    break;
                }
            }
            findings.lost += acknowledged.len() as u64;
        }
        Ok(())
    }
}

struct Worker {
    name: &'static str,
    partition: usize,
    gate: Gate,
    counts: Arc<Counts>,
    ledger: Shared,
}

impl Worker {
    async fn rest(self, mut client: Client) {
        let path = format!("/api/v1/topics/{TOPIC}/records");
        for n in 0_u64.. {
            let held = self.gate.read().await;
            let value = format!("{}-{n}", self.name);
            let partition = self.partition;
            let body = format!(
                r#"{{"records":[{{"partition":{partition},"value":"{value}"}}],"acks":-1}}"#
            );
            let offset = match client.send(Method::POST, &path, Bytes::from(body)).await {
                Sent::Answer(200, body) => serde_json::from_slice::<Value>(&body)
                    .ok()
                    .and_then(|answer| answer["records"][0]["offset"].as_u64()),
                _ => None,
            };
            let pause = self.note(value, offset);
            drop(held);
            tokio::time::sleep(pause).await;
        }
    }

    async fn grpc(self, mut client: TakhinServiceClient<tonic::transport::Channel>) {
        for n in 0_u64.. {
            let held = self.gate.read().await;
            let value = format!("{}-{n}", self.name);
            let request = ProduceMessageRequest {
                topic: TOPIC.to_owned(),
                partition: i32::try_from(self.partition).unwrap_or_default(),
                record: Some(Record {
                    value: value.clone().into(),
                    ..Default::default()
                }),
                required_acks: -1,
                ..Default::default()
            };
            let answer = tokio::time::timeout(PATIENCE, client.produce_message(request)).await;
            let offset = match answer {
                Ok(Ok(answer)) => {
                    let answer = answer.into_inner();
                    let offset = u64::try_from(answer.offset).ok();
                    offset.filter(|_| answer.error.is_empty())
                }
                Ok(Err(_)) | Err(_) => None,
            };
            let pause = self.note(value, offset);
            drop(held);
            tokio::time::sleep(pause).await;
        }
    }

    fn note(&self, value: String, offset: Option<u64>) -> Duration {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        match offset {
            Some(offset) => {
                self.counts.ok();
                ledger.acknowledged.insert(offset, value);
                PAUSE
            }
            None => {
                self.counts.fail();
                ledger.unknown.insert(value);
                AFTER_FAILURE
            }
        }
    }
}
