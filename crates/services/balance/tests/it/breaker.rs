//! Nobody waits for a database that is away, nor for a queue that is full.

use serde_json::json;
use testkit::postgres::{Database, Server};
use testkit::{at_once, eventually};
use tonic::Code;

use crate::support::{Fixture, get_balance, get_balances, lock_accounts};

const PATH: &str = "/api/v1/accounts/a/balance";
const BATCH: &str = "/api/v1/accounts/balances?ids=a,b";
const AWAY: &str = "the database cannot be reached: retry later";

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_callers_are_told_at_once() {
    for mode in ["group", "single"] {
        let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
        let database = Database::fresh_on(&server).await;
        let fixture = Fixture::start_on(database, &[("READ_MODE", mode)]).await;
        assert_eq!(fixture.get(PATH).await.status, 200);
        server.stop();
        // While it stops, and until the next probe, it is told as stopping.
        eventually("it is found out", async || {
            fixture.get("/health").await.status == 503
                && fixture.get(PATH).await.text().contains(AWAY)
        })
        .await;
        let mut connection = fixture.connect().await;
        for path in [PATH, BATCH, "/health"] {
            at_once(path, async || {
                let answer = connection.request("GET", path, &[], b"").await;
                let told = (
                    answer.status,
                    &answer.json()["message"],
                    answer.header("retry-after"),
                );
                assert_eq!(told, (503, &json!(AWAY), Some("1")));
            })
            .await;
        }
        let mut client = fixture.client().await;
        at_once("over gRPC", async || {
            for status in [
                get_balance(&mut client, "a").await.unwrap_err(),
                get_balances(&mut client, &["a", "b"]).await.unwrap_err(),
            ] {
                assert_eq!((status.code(), status.message()), (Code::Unavailable, AWAY));
            }
        })
        .await;
        assert_eq!(fixture.metric("database_breaker_open").await, 1.0);
        server.start_again();
        eventually("it closes by itself", async || {
            fixture.metric("database_breaker_open").await == 0.0
        })
        .await;
        assert_eq!(fixture.get(PATH).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_within_10_ms() {
    let fixture = Fixture::start_with(&[
        ("QUEUE_CAPACITY", "4"),
        ("READERS", "1"),
        // One for the reader and one for health: no request reads for itself.
        ("DATABASE_POOL_SIZE", "2"),
        ("REQUEST_TIMEOUT", "5m"),
    ])
    .await;
    let mut database = fixture.database.client().await;
    let lock = lock_accounts(&mut database).await;
    let mut crowd = Vec::new();
    // The reader takes what waits only when it comes to it: a second wave takes the room that this leaves.
    for _ in 0..2 {
        let wave: Vec<_> = (0..20)
            .map(|_| {
                let address = fixture.service.http();
                tokio::spawn(async move { testkit::http::get(address, PATH).await.status })
            })
            .collect();
        eventually("the queue is full and the reader at work", async || {
            let refused = wave.iter().any(tokio::task::JoinHandle::is_finished);
            refused && waits_for_the_lock(&fixture).await
        })
        .await;
        crowd.extend(wave);
    }
    let mut connection = fixture.connect().await;
    at_once("a full queue", async || {
        let answer = connection.request("GET", PATH, &[], b"").await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1"))
        );
    })
    .await;
    assert_eq!(fixture.metric("database_breaker_opened_total").await, 0.0);
    lock.commit().await.unwrap();
    for answer in crowd {
        assert!([200, 503].contains(&answer.await.unwrap()));
    }
}

/// Whether a statement of the service waits for a lock.
async fn waits_for_the_lock(fixture: &Fixture) -> bool {
    let waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND application_name = 'balance' AND datname = current_database()";
    let client = fixture.database.client().await;
    client.query_one(waiting, &[]).await.unwrap().get(0)
}
