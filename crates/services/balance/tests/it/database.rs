//! The database stopped and started under the service; services that start at once; tables that are there already.

use std::time::Duration;

use api::benchmark::HealthCheckRequest;
use api::benchmark::health_check_response::ServingStatus;
use api::benchmark::health_client::HealthClient;
use serde_json::json;
use testkit::postgres::{Database, Server};
use testkit::process::Service;
use tonic::Code;

use crate::support::{BINARY, Fixture, add_accounts, get_balance};

const PATH: &str = "/api/v1/accounts/a/balance";

/// The same act on the server, away from the threads that drive tasks.
async fn on(mut server: Server, act: impl FnOnce(&mut Server) + Send + 'static) -> Server {
    let acting = tokio::task::spawn_blocking(move || {
        act(&mut server);
        server
    });
    acting.await.unwrap()
}

async fn own_health(fixture: &Fixture) -> ServingStatus {
    let mut client = HealthClient::new(fixture.channel().await);
    let answer = client.check(HealthCheckRequest::default()).await.unwrap();
    answer.get_ref().status()
}

async fn wait_for_standard_health(fixture: &Fixture, serving: bool) {
    let mut client = tonic_health::pb::health_client::HealthClient::new(fixture.channel().await);
    let wanted = if serving { 1 } else { 2 };
    testkit::eventually(&format!("the standard health is {wanted}"), async || {
        let request = tonic_health::pb::HealthCheckRequest {
            service: "benchmark.BalanceService".to_owned(),
        };
        client.check(request).await.unwrap().get_ref().status == wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_stopped_and_started_is_told_and_survived() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&server).await;
    let fixture = Fixture::start_on(database, &[("DATABASE_ACQUIRE_TIMEOUT", "300ms")]).await;
    let mut client = fixture.client().await;
    wait_for_standard_health(&fixture, true).await;
    let health = fixture.get("/health").await;
    assert_eq!(
        (health.status, health.text()),
        (200, r#"{"status":"healthy"}"#)
    );
    assert_eq!(own_health(&fixture).await, ServingStatus::Serving);
    get_balance(&mut client, "a").await.unwrap();

    let server = on(server, Server::stop).await;
    // While it stops, and until the next probe, it is told as stopping.
    testkit::eventually("the database is known to be away", async || {
        fixture.get(PATH).await.text().contains("cannot be reached")
    })
    .await;
    for _ in 0..3 {
        let answer = fixture.get(PATH).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(
            answer.json()["message"],
            json!("the database cannot be reached: retry later")
        );
        let status = get_balance(&mut client, "a").await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (
                Code::Unavailable,
                "the database cannot be reached: retry later"
            )
        );
    }
    let health = fixture.get("/health").await;
    assert_eq!(
        (health.status, &health.json()["error"]),
        (503, &json!("unavailable"))
    );
    assert_eq!(own_health(&fixture).await, ServingStatus::NotServing);
    wait_for_standard_health(&fixture, false).await;
    let complaints = fixture
        .service
        .lines()
        .iter()
        .filter(|line| line.contains("no further line"))
        .count();
    assert_eq!(complaints, 1, "{}", fixture.service.log());

    let _server = on(server, Server::start_again).await;
    testkit::eventually("it serves again", async || {
        fixture.get(PATH).await.status == 200
    })
    .await;
    let answer = fixture.get(PATH).await;
    assert_eq!(answer.json()["balance"], json!(1), "{}", answer.text());
    get_balance(&mut client, "a").await.unwrap();
    wait_for_standard_health(&fixture, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_stopped_and_started_under_load_is_survived() {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::fresh_on(&server).await;
    let fixture = Fixture::start_on(database, &[("DATABASE_ACQUIRE_TIMEOUT", "300ms")]).await;
    let address = fixture.service.http();
    let load: tokio::task::JoinSet<Vec<u16>> = (0..16)
        .map(|_| async move {
            let mut connection = testkit::http::Connection::open(address).await;
            let mut statuses = Vec::new();
            // Until it is served again.
            while statuses.last() != Some(&200) || !statuses.contains(&503) {
                statuses.push(connection.request("GET", PATH, &[], b"").await.status);
            }
            statuses
        })
        .collect();
    let counted = async |name: &str, at_least: f64| {
        testkit::eventually(name, async || {
            testkit::http::metric(address, name).await >= at_least
        })
        .await;
    };
    counted("balance_requests_total", 100.0).await;
    let server = on(server, Server::kill).await;
    counted("balance_refused_total", 16.0).await;
    let _server = on(server, Server::start_again).await;
    for statuses in load.join_all().await {
        assert!(
            statuses.iter().all(|status| [200, 503].contains(status)),
            "{statuses:?}"
        );
        assert!(statuses.contains(&503) && statuses.first() == Some(&200));
    }
    testkit::eventually("it serves again", async || {
        fixture.get(PATH).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn services_that_start_at_once_serve_an_empty_database() {
    let database = Database::fresh().await;
    let environment = [("DATABASE_URL", database.url())];
    let services: Vec<Service> = (0..4)
        .map(|_| Service::spawn(BINARY, &[], &environment))
        .collect();
    for service in &services {
        let ready = service.wait_for_log("ready", Duration::from_secs(40));
        assert!(ready.is_some(), "{}", service.log());
        let answer = testkit::http::get(service.http(), PATH).await;
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
    let applied = database
        .client()
        .await
        .query_one("SELECT count(*) FROM balance_schema_history", &[])
        .await
        .unwrap();
    assert_eq!(applied.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_table_that_is_there_already_is_taken() {
    let database = Database::fresh().await;
    let client = database.client().await;
    client
        .batch_execute(
            "CREATE TABLE accounts (account_id text PRIMARY KEY, balance_tinybar bigint NOT NULL, updated_at timestamptz)",
        )
        .await
        .unwrap();
    add_accounts(&client).await;
    client
        .batch_execute("INSERT INTO accounts VALUES ('never', 4, NULL)")
        .await
        .unwrap();
    let service = Service::start(BINARY, &[("DATABASE_URL", database.url())]);
    let answer = testkit::http::get(service.http(), "/api/v1/balances?ids=never,b").await;
    assert_eq!(
        answer.json()["balances"][0],
        json!({"account": "never", "balance": 4, "timestamp": "1970-01-01T00:00:00Z"})
    );
    assert_eq!(answer.json()["balances"][1]["balance"], json!(2));
}

/// Green is who can answer: not while the server answers and the table cannot be read.
#[tokio::test(flavor = "multi_thread")]
async fn health_is_not_green_while_no_balance_can_be_read() {
    let fixture = Fixture::start().await;
    let admin = fixture.database.client().await;
    wait_for_standard_health(&fixture, true).await;
    assert_eq!(fixture.get(PATH).await.status, 200);
    admin
        .batch_execute("ALTER TABLE accounts RENAME TO hidden")
        .await
        .unwrap();
    assert_eq!(fixture.get("/health").await.status, 503);
    assert_eq!(own_health(&fixture).await, ServingStatus::NotServing);
    wait_for_standard_health(&fixture, false).await;
    assert_eq!(fixture.get(PATH).await.status, 500);
    admin
        .batch_execute("ALTER TABLE hidden RENAME TO accounts")
        .await
        .unwrap();
    assert_eq!(fixture.get(PATH).await.status, 200);
    wait_for_standard_health(&fixture, true).await;

    // What the sessions have prepared no longer fits: each is replaced after one error at most.
    admin
        .batch_execute("ALTER TABLE accounts ALTER COLUMN account_id TYPE varchar(255)")
        .await
        .unwrap();
    let mut failed = 0;
    for _ in 0..30 {
        failed += usize::from(fixture.get(PATH).await.status != 200);
    }
    assert!(failed <= 10, "{failed} of 30 failed");
    assert_eq!(fixture.get(PATH).await.status, 200);
    wait_for_standard_health(&fixture, true).await;
}

/// A service that was started once leaves a schema that others need not make; the fixture adds accounts.
async fn with_a_schema() -> Database {
    Fixture::start().await.database
}

#[tokio::test]
async fn a_role_that_may_only_read_is_enough_once_the_table_is_there() {
    let database = with_a_schema().await;
    let role = format!("reader_{}", database.name());
    let rights = format!(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN; \
         GRANT SELECT ON accounts TO {role}"
    );
    database
        .client()
        .await
        .batch_execute(&rights)
        .await
        .unwrap();
    let url = database
        .url()
        .replace("postgres:password@", &format!("{role}@"));
    let service = Service::start(BINARY, &[("DATABASE_URL", &url)]);
    assert_eq!(testkit::http::get(service.http(), PATH).await.status, 200);
}

#[tokio::test]
async fn a_read_only_replica_is_served_and_healthy() {
    let database = with_a_schema().await;
    let url = format!(
        "{}?options=-cdefault_transaction_read_only%3Don",
        database.url()
    );
    let service = Service::start(BINARY, &[("DATABASE_URL", &url)]);
    assert_eq!(testkit::http::get(service.http(), PATH).await.status, 200);
    let health = testkit::http::get(service.http(), "/health").await;
    assert_eq!(health.status, 200, "{}", health.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_in_transaction_mode_each_request_gets_its_own_balance() {
    let database = with_a_schema().await;
    let server = format!("127.0.0.1:{}", testkit::postgres::shared().port());
    let mode = testkit::pooler::Mode::Transaction { sessions: 2 };
    let pooler = testkit::pooler::Pooler::start(server.parse().unwrap(), mode).await;
    let url = format!(
        "postgresql://postgres@{}/{}",
        pooler.address(),
        database.name()
    );
    let service = Service::start(BINARY, &[("DATABASE_URL", &url), ("READERS", "4")]);
    let asks = (0..100).map(|n| {
        let address = service.http();
        async move {
            let (id, balance) = if n % 2 == 0 { ("a", 1) } else { ("b", 2) };
            let path = format!("/api/v1/accounts/{id}/balance");
            let answer = testkit::http::get(address, &path).await;
            assert_eq!(
                answer.json()["balance"],
                json!(balance),
                "{}",
                answer.text()
            );
        }
    });
    futures_util::future::join_all(asks).await;
}
