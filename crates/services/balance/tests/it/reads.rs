//! Shared reads, and none that began before its request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures_util::future::join_all;
use serde_json::json;
use testkit::http::Connection;
use tokio::task::JoinSet;

use crate::support::{Fixture, get_balance, get_balances, lock_accounts};

const PATH: &str = "/api/v1/accounts/a/balance";

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_share_reads() {
    let fixture = Fixture::start_with(&[("READERS", "1")]).await;
    let answers = fixture.crowd(100).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 && answer.json()["balance"] == json!(1))
    );
    assert_eq!(fixture.metric("balance_requests_total").await, 100.0);
    // What came before the read under way, and all the others.
    let reads = fixture.metric("balance_reads_total").await;
    assert!((1.0..=10.0).contains(&reads), "{reads} reads");
    assert!(fixture.metric("balance_read_requests_mean").await >= 10.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_read_holds_different_requests_of_both_faces() {
    let fixture = Fixture::start_with(&[("READERS", "1")]).await;
    let mut database = fixture.database.client().await;
    let lock = lock_accounts(&mut database).await;
    let ids = ["a", "b", "c", "x"];
    // One that is read for, and the others while it is.
    let address = fixture.service.http();
    let first = tokio::spawn(async move { testkit::http::get(address, PATH).await });
    fixture
        .database
        .until_blocked("balance::store::read", 1)
        .await;
    let one = join_all((1..40).map(|n| {
        let fixture = &fixture;
        async move {
            let path = format!("/api/v1/accounts/{}/balance", ids[n % 4]);
            (n, fixture.get(&path).await)
        }
    }));
    let several = join_all((0..10).map(|_| fixture.get("/api/v1/balances?ids=c,a,x,b,a")));
    let client = fixture.client().await;
    let calls = join_all((0..40).map(|n| {
        let mut client = client.clone();
        async move { (n, get_balance(&mut client, ids[n % 4]).await) }
    }));
    let release = async {
        fixture.until_queued(39 + 10 * 4 + 40).await;
        lock.commit().await.unwrap();
    };
    let (one, several, calls, ()) = tokio::join!(one, several, calls, release);
    assert_eq!(first.await.unwrap().json()["balance"], json!(1));
    let balances = [Some(1), Some(2), Some(-3), None];
    for (n, answer) in one {
        assert_eq!(answer.json()["balance"].as_i64(), balances[n % 4]);
        assert_eq!(answer.status, if n % 4 == 3 { 404 } else { 200 });
    }
    for answer in several {
        let answer = answer.json();
        let balances: Vec<_> = answer["balances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|balance| balance["balance"].as_i64().unwrap())
            .collect();
        assert_eq!(balances, [-3, 1, 2, 1]);
        assert_eq!(answer["missing"], json!(["x"]));
    }
    for (n, answer) in calls {
        let found = answer.ok().map(|answer| answer.balance_tinybar);
        assert_eq!(found, balances[n % 4]);
    }
    let reads = fixture.metric("balance_reads_total").await;
    assert!(reads <= 10.0, "{reads} reads");
}

/// A writer counts the balance up; each client notes what was committed before it asks, and must get no less.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_committed_before_a_request_is_seen_by_it() {
    let fixture = Fixture::start().await;
    let committed = Arc::new(AtomicI64::new(1));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for client in 0..16 {
        let (committed, stop) = (Arc::clone(&committed), Arc::clone(&stop));
        let mut rest = fixture.connect().await;
        let mut grpc = fixture.client().await;
        clients.spawn(async move {
            let mut asked = 0;
            while !stop.load(Ordering::Relaxed) {
                let before = committed.load(Ordering::SeqCst);
                let balance = if client % 2 == 0 {
                    over_rest(&mut rest).await
                } else {
                    get_balance(&mut grpc, "a").await.unwrap().balance_tinybar
                };
                assert!(balance >= before, "{balance} was read after {before}");
                asked += 1;
            }
            asked
        });
    }
    let database = fixture.database.client().await;
    let update = database
        .prepare("UPDATE accounts SET balance_tinybar = $1 WHERE account_id = 'a'")
        .await
        .unwrap();
    for balance in 2..1000_i64 {
        database.execute(&update, &[&balance]).await.unwrap();
        committed.store(balance, Ordering::SeqCst);
    }
    stop.store(true, Ordering::Relaxed);
    let asked: u64 = clients.join_all().await.into_iter().sum();
    assert!(asked > 100, "too few requests to tell: {asked}");
    let reads = fixture.metric("balance_reads_total").await;
    assert!(
        reads < asked as f64,
        "nothing was shared: {reads} of {asked}"
    );
}

async fn over_rest(connection: &mut Connection) -> i64 {
    let answer = connection.request("GET", PATH, &[], b"").await;
    answer.json()["balance"].as_i64().unwrap()
}

#[tokio::test]
async fn one_connection_is_enough() {
    let fixture = Fixture::start_with(&[("DATABASE_POOL_SIZE", "1"), ("READERS", "8")]).await;
    let all = join_all((0..50).map(|_| fixture.get(PATH))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
    assert_eq!(fixture.get("/health").await.status, 200);
    let client = fixture.database.client().await;
    let connections = client
        .query_one(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name = 'balance'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(connections.get::<_, i64>(0), 1);
}

/// For comparison: a statement a request, with the same answers.
#[tokio::test(flavor = "multi_thread")]
async fn in_single_mode_each_request_reads_for_itself() {
    let settings = [("READ_MODE", "single"), ("DATABASE_POOL_SIZE", "2")];
    let fixture = Fixture::start_with(&settings).await;
    let all = join_all((0..50).map(|_| fixture.get(PATH))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
    let mut client = fixture.client().await;
    let ids = ["b", "a", "unknown", "b"];
    let over_grpc = get_balances(&mut client, &ids).await.unwrap();
    let found: Vec<&str> = over_grpc
        .iter()
        .map(|one| one.account_id.as_str())
        .collect();
    assert_eq!(found, ["b", "a", "b"]);
    let missing = fixture.get("/api/v1/balances?ids=b,unknown").await;
    assert_eq!(missing.json()["missing"], json!(["unknown"]));
    let unknown = fixture.get("/api/v1/accounts/unknown/balance").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(fixture.metric("balance_requests_total").await, 53.0);
    assert_eq!(fixture.metric("balance_reads_total").await, 53.0);
    assert_eq!(fixture.get("/health").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_single_mode_a_request_has_its_time_limit_too() {
    let settings = [
        ("READ_MODE", "single"),
        ("DATABASE_POOL_SIZE", "1"),
        ("REQUEST_TIMEOUT", "300ms"),
    ];
    let fixture = Fixture::start_with(&settings).await;
    let mut database = fixture.database.client().await;
    let lock = lock_accounts(&mut database).await;
    for answer in join_all((0..5).map(|_| fixture.get(PATH))).await {
        let told = "no answer from the database in time: retry later";
        assert_eq!(
            (answer.status, &answer.json()["message"]),
            (503, &json!(told))
        );
    }
    lock.commit().await.unwrap();
    assert_eq!(fixture.get(PATH).await.status, 200);
}
