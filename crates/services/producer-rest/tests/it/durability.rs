//! What was acknowledged is there, whatever dies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use testkit::http::{self, Connection};
use testkit::postgres::{Database, Server};
use tokio::task::JoinSet;

use crate::support::{EVENTS, event, serve};

/// Clients that post events, each with an id of its own, until they are told to stop.
struct Load {
    clients: JoinSet<Vec<Sent>>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

struct Sent {
    id: String,
    /// None where the connection broke before an answer.
    status: Option<u16>,
}

impl Load {
    fn start(address: SocketAddr, clients: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let refused = Arc::new(AtomicU64::new(0));
        let clients = (0..clients).map(|client| {
            client_loop(
                address,
                client,
                Arc::clone(&stop),
                Arc::clone(&acknowledged),
                Arc::clone(&refused),
            )
        });
        Self {
            clients: clients.collect(),
            stop: Arc::clone(&stop),
            acknowledged: Arc::clone(&acknowledged),
            refused: Arc::clone(&refused),
        }
    }

    /// Waits until this many events were acknowledged.
    async fn until_acknowledged(&self, events: u64) {
        testkit::eventually(&format!("{events} events are acknowledged"), async || {
            self.acknowledged.load(Ordering::Relaxed) >= events
        })
        .await;
    }

    /// Waits until an event was answered with 503.
    async fn until_refused(&self) {
        testkit::eventually("an event is refused", async || {
            self.refused.load(Ordering::Relaxed) > 0
        })
        .await;
    }

    async fn finish(self) -> Vec<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        self.clients
            .join_all()
            .await
            .into_iter()
            .flatten()
            .collect()
    }
}

async fn client_loop(
    address: SocketAddr,
    client: usize,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut connection = None;
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Some(mut open) = connection.take() else {
            match Connection::try_open(address).await {
                Ok(open) => connection = Some(open),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
            continue;
        };
        let id = format!("{client}-{n}");
        let body = event("Car", &id, &json!({"n": n})).to_string();
        let headers = [("content-type", "application/json")];
        match open
            .try_request("POST", EVENTS, &headers, body.as_bytes())
            .await
        {
            Ok(answer) => {
                if answer.status == 200 {
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                } else if answer.status == 503 {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                sent.push(Sent {
                    id,
                    status: Some(answer.status),
                });
                if answer.header("connection") != Some("close") {
                    connection = Some(open);
                }
            }
            Err(_) => sent.push(Sent { id, status: None }),
        }
    }
    sent
}

/// The acknowledged ids that are not in the database: must be empty.
async fn lost(url: &str, sent: &[Sent]) -> Vec<String> {
    let acknowledged: Vec<&str> = sent
        .iter()
        .filter(|sent| sent.status == Some(200))
        .map(|sent| sent.id.as_str())
        .collect();
    assert!(
        acknowledged.len() > 100,
        "too few events to tell: {}",
        acknowledged.len()
    );
    let client = testkit::postgres::connect(url).await;
    client
        .query(
            "SELECT id FROM unnest($1::text[]) AS sent (id)
              WHERE NOT EXISTS (SELECT FROM car_entities c WHERE c.entity_type = 'Car' AND c.id = sent.id)",
            &[&acknowledged],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_under_load_loses_nothing_acknowledged() {
    let database = Database::fresh().await;
    let mut service = serve(database.url(), &[]);
    let load = Load::start(service.http(), 32);
    load.until_acknowledged(300).await;
    service.kill();
    let sent = load.finish().await;
    assert!(
        sent.iter().any(|sent| sent.status.is_none()),
        "nothing was under way"
    );
    assert_eq!(lost(database.url(), &sent).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_stopped_under_load_answers_what_it_took_and_loses_nothing() {
    let database = Database::fresh().await;
    let mut service = serve(database.url(), &[]);
    let load = Load::start(service.http(), 32);
    load.until_acknowledged(300).await;
    let status = service.terminate();
    let sent = load.finish().await;
    assert_eq!(status.code(), Some(0), "{}", service.log());
    assert_eq!(lost(database.url(), &sent).await, Vec::<String>::new());
    let strange: Vec<u16> = sent
        .iter()
        .filter_map(|sent| sent.status)
        .filter(|status| ![200, 503].contains(status))
        .collect();
    assert_eq!(strange, Vec::<u16>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_stopped_and_started_under_load_is_survived() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&server).await;
    let service = serve(database.url(), &[("DATABASE_ACQUIRE_TIMEOUT", "300ms")]);
    let address = service.http();
    let load = Load::start(address, 16);
    load.until_acknowledged(300).await;

    let mut server = tokio::task::spawn_blocking(move || {
        server.stop();
        server
    })
    .await
    .unwrap();
    let away = json!("the database cannot be reached: retry later");
    // While it stops, and until the next probe, it is told as stopping.
    testkit::eventually("the loss is seen", async || {
        let health = http::get(address, "/api/v1/events/health").await;
        health.status == 503 && health.json()["message"] == away
    })
    .await;
    let health = http::get(address, "/api/v1/events/health").await;
    assert_eq!(
        (health.status, &health.json()["error"]),
        (503, &json!("unavailable"))
    );
    let answer = http::post_json(address, EVENTS, event("Car", "x", &json!({})).to_string()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["message"], away);

    // Those that were sent before wait a while for it, and are told then.
    load.until_refused().await;
    let server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .unwrap();
    let healed = event("Car", "healed", &json!({})).to_string();
    testkit::eventually("it heals by itself", async || {
        let answer = http::post_json(address, EVENTS, healed.clone()).await;
        answer.status == 200
    })
    .await;
    let before = load.acknowledged.load(Ordering::Relaxed);
    load.until_acknowledged(before + 100).await;
    let sent = load.finish().await;
    assert_eq!(
        lost(&server.url(database.name()), &sent).await,
        Vec::<String>::new()
    );
}
