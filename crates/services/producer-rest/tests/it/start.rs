//! What a start needs of the database, and what it does not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use testkit::http;
use testkit::pgbouncer::PgBouncer;
use testkit::pooler::{Mode, Pooler};
use testkit::postgres::Database;
use testkit::process::Service;

use crate::support::{BINARY, EVENTS, Fixture, event, serve};

#[test]
fn what_no_waiting_can_mend_ends_the_start_at_once() {
    let server = testkit::postgres::shared();
    let unknown = server.url("nobodys").replace(":password", ":hidden");
    let tls = server
        .url("postgres?sslmode=require")
        .replace(":password", ":hidden");
    let schema = server
        .url("postgres?schema=x")
        .replace(":password", ":hidden");
    for (setting, value, status, named) in [
        (
            "DATABASE_URL",
            unknown.as_str(),
            1,
            "3D000 invalid_catalog_name",
        ),
        ("DATABASE_URL", &tls, 1, "server does not support TLS"),
        ("DATABASE_URL", &schema, 2, "unknown parameter 'schema'"),
        ("REQUEST_TIMEOUT", "0s", 2, "must be 1ms to 1day"),
        ("QUEUE_CAPACITY", "0", 2, "must be 1 to 10000000"),
    ] {
        let begun = Instant::now();
        let mut service = Service::spawn(BINARY, &[], &[(setting, value)]);
        let ended = service.wait();
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{value}: {:?}",
            begun.elapsed()
        );
        // The last lines may still be in the pipe.
        service.wait_for_log(named, Duration::from_secs(5));
        let log = service.log();
        assert_eq!(ended.code(), Some(status), "{value}: {log}");
        assert!(
            log.contains(setting) && log.contains(named),
            "{value}: {log}"
        );
        assert!(!log.contains("hidden"), "{log}");
    }
}

#[tokio::test]
async fn a_role_that_may_only_read_and_write_is_enough_once_the_table_is_there() {
    let first = Fixture::start().await;
    let database = first.database;
    drop(first.service);
    let role = format!("writer_{}", database.name());
    let rights = format!(
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN; \
         GRANT SELECT, INSERT, UPDATE ON car_entities TO {role}"
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
    let service = serve(&url, &[]);
    let answer = http::post_json(
        service.http(),
        EVENTS,
        event("Car", "a", &json!({})).to_string(),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_read_only_database_is_waited_for_with_an_unhealthy_service() {
    let first = Fixture::start().await;
    let database = first.database;
    drop(first.service);
    let url = format!(
        "{}?options=-cdefault_transaction_read_only%3Don",
        database.url()
    );
    let service = serve(&url, &[("DATABASE_ACQUIRE_TIMEOUT", "200ms")]);
    let health = http::get(service.http(), "/api/v1/events/health").await;
    assert_eq!(health.status, 503);
    assert_eq!(
        health.json()["message"],
        json!("the database is read-only: retry later")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_in_transaction_mode_every_event_is_stored_once() {
    let database = Database::fresh().await;
    let server = format!("127.0.0.1:{}", testkit::postgres::shared().port());
    let pooler = Pooler::start(server.parse().unwrap(), Mode::Transaction { sessions: 2 }).await;
    let services = store_every_event_once_through(pooler.address(), &database).await;
    services[0].told("a connection pooler stands");
}

/// That of Debian 12 is 1.18, which knows nothing of prepared statements: 1.21 does.
#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_in_transaction_mode_every_event_is_stored_once() {
    let database = Database::fresh().await;
    let server = testkit::postgres::shared().port();
    let Some(pooler) = PgBouncer::start(server, 2) else {
        return;
    };
    store_every_event_once_through(pooler.address(), &database).await;
}

async fn store_every_event_once_through(pooler: SocketAddr, database: &Database) -> [Service; 2] {
    let url = format!("postgresql://postgres@{pooler}/{}", database.name());
    // Two processes and two kinds of statements share the pooler's sessions.
    let services = [
        serve(&url, &[]),
        serve(
            &url,
            &[
                ("WRITE_MODE", "read-then-write"),
                ("DATABASE_POOL_SIZE", "3"),
            ],
        ),
    ];
    let posts = (0..200usize).map(|n| {
        let address = services[n % 2].http();
        async move {
            let body = event("Car", &format!("c-{n}"), &json!({"n": n})).to_string();
            http::post_json(address, EVENTS, body).await
        }
    });
    for answer in join_all(posts).await {
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let client = database.client().await;
    let stored = client
        .query_one(
            "SELECT count(*) FROM car_entities WHERE id = 'c-' || (data->>'n') AND entity_type = 'Car'",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(stored.get::<_, i64>(0), 200);
    services
}
