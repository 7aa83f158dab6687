//! A service on a hot standby, by real streaming replication, with a bound on its lag.

use serde_json::json;
use testkit::eventually;
use testkit::http;
use testkit::postgres::{Database, Server, connect};
use testkit::process::Service;
use tonic::Code;

use api::benchmark::balance_service_client::BalanceServiceClient;

use crate::support::{BINARY, Fixture, channel, get_balance};

const PATH: &str = "/api/v1/accounts/a/balance";

async fn status(service: &Service, path: &str) -> u16 {
    http::get(service.http(), path).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_served_while_it_is_not_further_behind_than_allowed() {
    let primary = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&primary).await;
    let name = database.name().to_owned();
    // Makes the table; a primary is never behind, whatever is allowed.
    let at_primary = Fixture::start_on(database, &[("MAX_REPLICA_LAG", "100ms")]).await;
    assert_eq!(at_primary.get(PATH).await.status, 200);
    let copied = tokio::task::spawn_blocking(move || {
        let mut primary = primary;
        let standby = primary.standby(&[("wal_retrieve_retry_interval", "200ms")]);
        (primary, standby)
    });
    let (mut primary, Some(standby)) = copied.await.unwrap() else {
        return;
    };
    let settings = [
        ("DATABASE_URL", &*standby.url(&name)),
        ("MAX_REPLICA_LAG", "2s"),
    ];
    let service = Service::start(BINARY, &settings);
    let mut client = BalanceServiceClient::new(channel(service.grpc()).await);
    let set = async |primary: &Server, balance: i64| {
        let client = connect(&primary.url(&name)).await;
        let update = "UPDATE accounts SET balance_tinybar = $1 WHERE account_id = 'a'";
        client.execute(update, &[&balance]).await.unwrap();
    };
    let reads = async |balance: i64| {
        let answer = http::get(service.http(), PATH).await;
        answer.status == 200 && answer.json()["balance"] == json!(balance)
    };
    set(&primary, 10).await;
    eventually("the replica is served, with what it was sent", async || {
        reads(10).await
    })
    .await;

    let at_standby = connect(&standby.url(&name)).await;
    let pause = "SELECT pg_wal_replay_pause()";
    at_standby.batch_execute(pause).await.unwrap();
    set(&primary, 11).await;
    eventually("it is refused once it is too far behind", async || {
        status(&service, PATH).await == 503
    })
    .await;
    let told = http::get(service.http(), PATH).await;
    let words = "the replica is more than 2s behind its primary (MAX_REPLICA_LAG): retry later";
    assert_eq!(
        (
            told.status,
            &told.json()["message"],
            told.header("retry-after")
        ),
        (503, &json!(words), Some("1"))
    );
    let same = get_balance(&mut client, "a").await.unwrap_err();
    assert_eq!((same.code(), same.message()), (Code::Unavailable, words));
    assert_eq!(status(&service, "/health").await, 503);
    eventually("the lag is in the metrics", async || {
        http::metric(service.http(), "balance_replica_lag_seconds").await > 2.0
    })
    .await;
    let refused = "balance_refused_total{reason=\"replica_behind\"}";
    assert!(http::metric(service.http(), refused).await >= 2.0);

    let resume = "SELECT pg_wal_replay_resume()";
    at_standby.batch_execute(resume).await.unwrap();
    eventually("it has caught up", async || reads(11).await).await;
    assert_eq!(status(&service, "/health").await, 200);
    get_balance(&mut client, "a").await.unwrap();

    // Without a primary nobody knows what it lacks.
    primary = tokio::task::spawn_blocking(move || {
        primary.kill();
        primary
    })
    .await
    .unwrap();
    eventually("it is refused without its primary", async || {
        status(&service, PATH).await == 503
    })
    .await;
    primary = tokio::task::spawn_blocking(move || {
        primary.start_again();
        primary
    })
    .await
    .unwrap();
    set(&primary, 12).await;
    eventually("it goes on with its primary", async || reads(12).await).await;
}
