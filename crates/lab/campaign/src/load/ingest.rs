//! Events to the producers, over REST, bulk and gRPC. Each event has an entity of its own, so that its row says whether it is
//! there, and by `updated_at` whether it was written twice.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use api::event::event_service_client::EventServiceClient;
use api::event::{EntityUpdate, EventBody, EventHeader, EventRequest};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use super::kept::{AFTER_FAILURE, Counts, Findings, Gate, PATIENCE};
use crate::client::{Client, Sent};
use crate::world::{self, World};

/// The type of the entities of this load.
const TYPE: &str = "Campaign";
/// Events of a bulk request.
const BULK: u64 = 20;
/// Pause after an answer, so that the load leaves room for what is done to the services.
const PAUSE: Duration = Duration::from_millis(2);

/// What was promised since the last check.
#[derive(Debug, Default)]
struct Ledger {
    acknowledged: HashSet<String>,
    /// Sent, and not acknowledged: each may be there, once.
    unknown: HashSet<String>,
}

pub(crate) struct Ingest {
    ledger: Arc<Mutex<Ledger>>,
}

impl Ingest {
    pub(crate) fn start(
        world: &World,
        (gate, counts): (&Gate, &Arc<Counts>),
        workers: &mut JoinSet<()>,
    ) -> Result<Self> {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let rest = [world::PRODUCER_REST, world::PRODUCER_REST_2].map(|at| world.http(at));
        for number in 0..4 {
            let worker = Worker {
                name: format!("rest-{number}"),
                gate: Arc::clone(gate),
                counts: Arc::clone(counts),
                ledger: Arc::clone(&ledger),
            };
            // Two with bulk requests. Each has one producer first, and the other one while that is away.
            workers.spawn(worker.rest(rest, number));
        }
        let channel = channel(world.grpc(world::PRODUCER_GRPC))?;
        for number in 0..3 {
            let worker = Worker {
                name: format!("grpc-{number}"),
                gate: Arc::clone(gate),
                counts: Arc::clone(counts),
                ledger: Arc::clone(&ledger),
            };
            workers.spawn(worker.grpc(channel.clone()));
        }
        Ok(Self { ledger })
    }

    pub(crate) async fn check(&self, world: &World, findings: &mut Findings) -> Result<()> {
        let client = world.postgres.client().await?;
        let rows = client
            .query(
                "SELECT id, updated_at = created_at FROM car_entities WHERE entity_type = $1",
                &[&TYPE],
            )
            .await?;
        let mut stored = HashSet::with_capacity(rows.len());
        {
            let ledger = lock(&self.ledger);
            for row in &rows {
                let id: &str = row.get(0);
                stored.insert(id);
                let expected = ledger.acknowledged.contains(id) || ledger.unknown.contains(id);
                if !expected || !row.get::<_, bool>(1) {
                    findings.repeated += 1;
                }
            }
            let lost = ledger
                .acknowledged
                .iter()
                .filter(|id| !stored.contains(id.as_str()));
            findings.lost += lost.count() as u64;
        }
        // Nothing of it is needed any more; ids are never used again.
        client
            .execute("DELETE FROM car_entities WHERE entity_type = $1", &[&TYPE])
            .await?;
        *lock(&self.ledger) = Ledger::default();
        Ok(())
    }
}

struct Worker {
    name: String,
    gate: Gate,
    counts: Arc<Counts>,
    ledger: Arc<Mutex<Ledger>>,
}

impl Worker {
    async fn rest(self, producers: [SocketAddr; 2], number: usize) {
        let mut clients = producers.map(|address| Client::new(address, PATIENCE));
        let bulk = number % 2 == 1;
        let mut which = number / 2;
        let mut next = 0;
        loop {
            let held = self.gate.read().await;
            let ids = self.ids(&mut next, if bulk { BULK } else { 1 });
            let path = if bulk {
                "/api/v1/events/bulk"
            } else {
                "/api/v1/events"
            };
            let events: Vec<Value> = ids.iter().map(|id| event(id)).collect();
            let body = if bulk {
                Value::from(events)
            } else {
                events[0].clone()
            };
            let sent = clients[which]
                .send(Method::POST, path, Bytes::from(body.to_string()))
                .await;
            let kept = match &sent {
                Sent::Answer(200, body) if bulk => self.bulk_answer(&ids, body),
                Sent::Answer(200, _) => self.note(&ids, |_| true),
                Sent::Nothing => {
                    which = 1 - which;
                    self.counts.fail();
                    false
                }
                Sent::Answer(..) | Sent::Unknown => self.note(&ids, |_| false),
            };
            drop(held);
            tokio::time::sleep(if kept { PAUSE } else { AFTER_FAILURE }).await;
        }
    }

    fn bulk_answer(&self, ids: &[String], body: &[u8]) -> bool {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let failures = answer["failures"].as_array().cloned().unwrap_or_default();
        let failed: HashSet<u64> = failures
            .iter()
            .filter_map(|one| one["index"].as_u64())
            .collect();
        self.note(ids, |at| !failed.contains(&(at as u64)))
    }

    async fn grpc(self, channel: Channel) {
        let mut client = EventServiceClient::new(channel);
        let mut next = 0;
        loop {
            let held = self.gate.read().await;
            let ids = self.ids(&mut next, 1);
            let call = client.process_event(request(&ids[0]));
            let answer = tokio::time::timeout(PATIENCE, call).await;
            let kept = self.note(&ids, |_| matches!(answer, Ok(Ok(_))));
            drop(held);
            tokio::time::sleep(if kept { PAUSE } else { AFTER_FAILURE }).await;
        }
    }

    fn ids(&self, next: &mut u64, count: u64) -> Vec<String> {
        let first = *next;
        *next += count;
        (first..*next)
            .map(|n| format!("{}-{n}", self.name))
            .collect()
    }

    /// Notes which of `ids` were acknowledged. Whether all were.
    fn note(&self, ids: &[String], acknowledged: impl Fn(usize) -> bool) -> bool {
        let mut ledger = lock(&self.ledger);
        let mut all = true;
        for (at, id) in ids.iter().enumerate() {
            if acknowledged(at) {
                self.counts.ok();
                ledger.acknowledged.insert(id.clone());
            } else {
                all = false;
                self.counts.fail();
                ledger.unknown.insert(id.clone());
            }
        }
        all
    }
}

fn event(id: &str) -> Value {
    json!({
        "eventHeader": {"eventName": "LoanPaymentSubmitted"},
        "eventBody": {"entities": [{"entityType": TYPE, "entityId": id, "updatedAttributes": {"id": id}}]},
    })
}

fn request(id: &str) -> EventRequest {
    EventRequest {
        event_header: Some(EventHeader {
            event_name: "LoanPaymentSubmitted".to_owned(),
            ..Default::default()
        }),
        event_body: Some(EventBody {
            entities: vec![EntityUpdate {
                entity_type: TYPE.to_owned(),
                entity_id: id.to_owned(),
                ..Default::default()
            }],
        }),
    }
}

/// Connects when it is used, and again when the connection was lost.
pub(crate) fn channel(address: SocketAddr) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(endpoint
        .connect_timeout(Duration::from_secs(2))
        .connect_lazy())
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
