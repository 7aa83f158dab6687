//! Transactions that anyone inserts, and subscribers who go on after the last one they have seen, over SSE and gRPC. Numbers are
//! dense and in order, and every transaction that was committed comes once.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use api::benchmark::StreamRequest;
use api::benchmark::transaction_service_client::TransactionServiceClient;
use bytes::Bytes;
use database_link::Link;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_postgres::Config;

use super::ingest;
use super::kept::{AFTER_FAILURE, Counts, Findings, Gate};
use crate::world::{self, World};

const PAUSE: Duration = Duration::from_millis(10);
/// How long a transaction may take to come once everything is well again.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(30);
/// A stream without even a heartbeat (15 s) is dead.
const SILENCE: Duration = Duration::from_secs(20);

/// What a subscriber has seen.
#[derive(Debug, Default)]
struct Seen {
    last: u64,
    ids: HashSet<String>,
    resumed: u64,
    broken: Vec<String>,
    repeated: u64,
}

type Shared<T> = Arc<Mutex<T>>;

pub(crate) struct Transactions {
    committed: Shared<HashSet<String>>,
    subscribers: [Shared<Seen>; 2],
    resumed: Arc<AtomicU64>,
}

impl Transactions {
    pub(crate) fn start(
        world: &World,
        (gate, counts): (&Gate, &Arc<Counts>),
        workers: &mut JoinSet<()>,
    ) -> Self {
        let committed = Shared::default();
        let subscribers: [Shared<Seen>; 2] = Default::default();
        workers.spawn(insert(
            world.postgres.config(),
            Arc::clone(gate),
            Arc::clone(counts),
            Arc::clone(&committed),
        ));
        workers.spawn(sse(
            world.stream_proxy.address(),
            Arc::clone(&subscribers[0]),
        ));
        workers.spawn(grpc(world.grpc(world::STREAM), Arc::clone(&subscribers[1])));
        Self {
            committed,
            subscribers,
            resumed: Arc::default(),
        }
    }

    /// The writer stands still meanwhile; the subscribers go on until they have everything.
    pub(crate) async fn check(&self, findings: &mut Findings) -> Result<()> {
        let committed = std::mem::take(&mut *lock(&self.committed));
        for (seen, face) in self.subscribers.iter().zip(["SSE", "gRPC"]) {
            let begun = Instant::now();
            let missing = loop {
                let missing = lock(seen).missing(&committed);
                if missing == 0 || begun.elapsed() > ARRIVAL_LIMIT {
                    break missing;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            findings.lost += missing as u64;
            let mut seen = lock(seen);
            findings.repeated += std::mem::take(&mut seen.repeated);
            let broken = std::mem::take(&mut seen.broken);
            findings
                .broken
                .extend(broken.into_iter().map(|what| format!("{face}: {what}")));
            self.resumed
                .fetch_add(std::mem::take(&mut seen.resumed), Ordering::Relaxed);
            seen.ids.retain(|id| !committed.contains(id));
        }
        Ok(())
    }

    /// Streams that were cut and resumed since the start, as of the last check.
    pub(crate) fn resumed(&self) -> u64 {
        self.resumed.load(Ordering::Relaxed)
    }
}

impl Seen {
    /// How many of `committed` have not come yet.
    fn missing(&self, committed: &HashSet<String>) -> usize {
        let missing = committed.iter().filter(|id| !self.ids.contains(*id));
        missing.count()
    }

    fn note(&mut self, sequence: u64, id: String) {
        if sequence != self.last + 1 {
            self.broken.push(format!("{sequence} after {}", self.last));
        }
        self.last = sequence;
        if !self.ids.insert(id) {
            self.repeated += 1;
        }
    }
}

async fn insert(
    config: Config,
    gate: Gate,
    counts: Arc<Counts>,
    committed: Shared<HashSet<String>>,
) {
    let mut client = None;
    for n in 0_u64.. {
        let held = gate.read().await;
        let id = format!("campaign-{n}");
        if client.is_none() {
            // Where it fails, the insert that needs it counts as failed.
            client = Link::connect(&config).await.ok();
        }
        let done = match &client {
            Some(client) => client
                .execute(
                    "INSERT INTO transactions (tx_id, from_account, to_account, amount_tinybar, tx_type, timestamp)
                     VALUES ($1, '0.0.1', '0.0.2', 5, 'transfer', now())",
                    &[&id],
                )
                .await
                .is_ok(),
            None => false,
        };
        if done {
            counts.ok();
            lock(&committed).insert(id);
        } else {
            counts.fail();
            client = None;
        }
        drop(held);
        tokio::time::sleep(if done { PAUSE } else { AFTER_FAILURE }).await;
    }
}

async fn sse(address: SocketAddr, seen: Shared<Seen>) {
    loop {
        let last = lock(&seen).last;
        // Ends when the stream does, whatever the reason.
        drop(read_sse(address, last, &seen).await);
        lock(&seen).resumed += 1;
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

async fn read_sse(address: SocketAddr, last: u64, seen: &Shared<Seen>) -> Result<()> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with its sender, or with the server; then the request that waits, or its body, has the error.
    drop(tokio::spawn(connection));
    let mut request = http::Request::get("/api/v1/transactions/stream?since=1970-01-01T00:00:00Z")
        .header(http::header::HOST, "campaign");
    if last > 0 {
        request = request.header("last-event-id", last);
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let answer = tokio::time::timeout(SILENCE, sender.send_request(request)).await??;
    anyhow::ensure!(answer.status() == 200, "{}", answer.status());
    let mut body = answer.into_body();
    let mut text = String::new();
    while let Some(frame) = tokio::time::timeout(SILENCE, body.frame()).await? {
        if let Ok(data) = frame?.into_data() {
            text.push_str(std::str::from_utf8(&data)?);
        }
        while let Some((event, rest)) = text.split_once("\n\n") {
            note_event(event, seen);
            text = rest.to_owned();
        }
    }
    Ok(())
}

fn note_event(event: &str, seen: &Shared<Seen>) {
    let data = event.lines().find_map(|line| line.strip_prefix("data: "));
    let Some(data) = data else { return };
    let parsed: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
    let sequence = parsed["sequence"].as_u64().unwrap_or_default();
    let id = parsed["tx_id"].as_str().unwrap_or_default().to_owned();
    lock(seen).note(sequence, id);
}

async fn grpc(address: SocketAddr, seen: Shared<Seen>) {
    loop {
        let last = lock(&seen).last;
        drop(read_grpc(address, last, &seen).await);
        lock(&seen).resumed += 1;
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

async fn read_grpc(address: SocketAddr, last: u64, seen: &Shared<Seen>) -> Result<()> {
    let mut client = TransactionServiceClient::new(ingest::channel(address)?);
    let request = StreamRequest {
        since_timestamp: if last == 0 {
            "1970-01-01T00:00:00Z".to_owned()
        } else {
            String::new()
        },
        after_sequence: last,
        ..Default::default()
    };
    let mut stream = client.stream_transactions(request).await?.into_inner();
    while let Some(transaction) = stream.message().await? {
        lock(seen).note(transaction.sequence, transaction.tx_id);
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
