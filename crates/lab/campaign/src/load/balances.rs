//! Reads of balances, over REST and gRPC: an answer is right, or an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use api::benchmark::BalanceRequest;
use api::benchmark::balance_service_client::BalanceServiceClient;
use serde_json::Value;
use tokio::task::JoinSet;

use super::ingest;
use super::kept::{AFTER_FAILURE, Counts, Findings, Gate, PATIENCE};
use crate::client::Client;
use crate::world::{self, World};

const ACCOUNTS: i64 = 100;
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) struct Balances {
    wrong: Arc<AtomicU64>,
}

impl Balances {
    pub(crate) async fn start(
        world: &World,
        (gate, counts): (&Gate, &Arc<Counts>),
        workers: &mut JoinSet<()>,
    ) -> Result<Self> {
        let client = world.postgres.client().await?;
        client
            .execute(
                "INSERT INTO accounts (account_id, balance_tinybar, updated_at)
                 SELECT n::text, n * 7, now() FROM generate_series(0, $1::bigint - 1) AS n",
                &[&ACCOUNTS],
            )
            .await?;
        let wrong = Arc::new(AtomicU64::new(0));
        workers.spawn(rest(
            Client::new(world.http(world::BALANCE), PATIENCE),
            Arc::clone(gate),
            Arc::clone(counts),
            Arc::clone(&wrong),
        ));
        let channel = ingest::channel(world.grpc(world::BALANCE))?;
        workers.spawn(grpc(
            BalanceServiceClient::new(channel),
            Arc::clone(gate),
            Arc::clone(counts),
            Arc::clone(&wrong),
        ));
        Ok(Self { wrong })
    }

    pub(crate) fn check(&self, findings: &mut Findings) {
        let wrong = self.wrong.swap(0, Ordering::Relaxed);
        if wrong > 0 {
            findings.broken.push(format!("{wrong} balances were wrong"));
        }
    }
}

async fn rest(mut client: Client, gate: Gate, counts: Arc<Counts>, wrong: Arc<AtomicU64>) {
    for n in (0..ACCOUNTS).cycle() {
        let held = gate.read().await;
        let answer = client.get(&format!("/api/v1/accounts/{n}/balance")).await;
        let balance = match answer {
            Some((200, body)) => serde_json::from_slice::<Value>(&body).ok(),
            Some((404, _)) => Some(Value::Null),
            _ => None,
        };
        let balance = balance.map(|answer| answer["balance"].as_i64().unwrap_or(-1));
        let pause = note(balance, n, &counts, &wrong);
        drop(held);
        tokio::time::sleep(pause).await;
    }
}

async fn grpc(
    mut client: BalanceServiceClient<tonic::transport::Channel>,
    gate: Gate,
    counts: Arc<Counts>,
    wrong: Arc<AtomicU64>,
) {
    for n in (0..ACCOUNTS).cycle() {
        let held = gate.read().await;
        let call = client.get_balance(BalanceRequest {
            account_id: n.to_string(),
        });
        let balance = match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => Some(answer.into_inner().balance_tinybar),
            Ok(Err(status)) if status.code() == tonic::Code::NotFound => Some(-1),
            Ok(Err(_)) | Err(_) => None,
        };
        let pause = note(balance, n, &counts, &wrong);
        drop(held);
        tokio::time::sleep(pause).await;
    }
}

fn note(balance: Option<i64>, account: i64, counts: &Counts, wrong: &AtomicU64) -> Duration {
    match balance {
        Some(balance) if balance == account * 7 => counts.ok(),
        Some(_) => {
            wrong.fetch_add(1, Ordering::Relaxed);
        }
        None => {
            counts.fail();
            return AFTER_FAILURE;
        }
    }
    PAUSE
}
