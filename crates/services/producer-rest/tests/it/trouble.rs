//! A database that takes no writes: the cause is told, nothing of it stays, and the health says so.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::http;
use testkit::postgres::{Database, Server};
use tokio_postgres::Client;

use crate::support::{EVENTS, Fixture, event, serve};

const HEALTH: &str = "/api/v1/events/health";

async fn maintenance(server: &Server) -> Client {
    testkit::postgres::connect(&server.url("postgres")).await
}

/// Ends the sessions of the service, so that it opens new ones.
async fn end_sessions(client: &Client, database: &Database) {
    client
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
            &[&database.name()],
        )
        .await
        .unwrap();
}

async fn wait_for_health(fixture: &Fixture, status: u16) {
    let begun = Instant::now();
    loop {
        let health = http::get(fixture.service.http(), HEALTH).await;
        if health.status == status {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{}",
            health.text()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_told_and_nothing_of_it_stays() {
    let fixture = Fixture::start_with(&[("DATABASE_ACQUIRE_TIMEOUT", "500ms")]).await;
    let client = maintenance(testkit::postgres::shared()).await;
    let name = fixture.database.name();
    assert_eq!(
        fixture.post(&event("Car", "a", &json!({}))).await.status,
        200
    );

    let set = |value| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    client.batch_execute(&set("on")).await.unwrap();
    end_sessions(&client, &fixture.database).await;
    wait_for_health(&fixture, 503).await;
    let health = http::get(fixture.service.http(), HEALTH).await;
    let told = json!("the database is read-only: retry later");
    assert_eq!(health.json()["message"], told);
    for id in ["a", "b", "c"] {
        let answer = fixture.post(&event("Car", id, &json!({}))).await;
        assert_eq!((answer.status, &answer.json()["message"]), (503, &told));
    }
    fixture.service.told("25006 read_only_sql_transaction");

    // The sessions stay as they were opened; the service must find out by itself.
    client.batch_execute(&set("off")).await.unwrap();
    for n in 0..60 {
        let answer = fixture
            .post(&event("Car", &n.to_string(), &json!({})))
            .await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
    }
    wait_for_health(&fixture, 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_spell_without_writes_is_waited_for() {
    let fixture = Fixture::start_with(&[("DATABASE_ACQUIRE_TIMEOUT", "5s")]).await;
    let client = maintenance(testkit::postgres::shared()).await;
    let name = fixture.database.name();
    let set = |value| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    client.batch_execute(&set("on")).await.unwrap();
    end_sessions(&client, &fixture.database).await;
    wait_for_health(&fixture, 503).await;
    let address = fixture.service.http();
    let body = event("Car", "a", &json!({})).to_string();
    let waiting = tokio::spawn(async move { http::post_json(address, EVENTS, body).await });
    // Time itself is tested: it still waits, well within its limit.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!waiting.is_finished());
    client.batch_execute(&set("off")).await.unwrap();
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_timeout_of_a_former_session_does_not_stay() {
    let fixture = Fixture::start().await;
    let client = maintenance(testkit::postgres::shared()).await;
    let name = fixture.database.name();
    // A trigger makes every write take longer than the limit.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                $$BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END$$; \
                CREATE TRIGGER slow BEFORE INSERT ON car_entities FOR EACH ROW EXECUTE FUNCTION slow()";
    fixture
        .database
        .client()
        .await
        .batch_execute(slow)
        .await
        .unwrap();
    let set = |value| format!("ALTER DATABASE {name} SET statement_timeout = {value}");
    client.batch_execute(&set("'50ms'")).await.unwrap();
    end_sessions(&client, &fixture.database).await;
    let mut last = None;
    for _ in 0..20 {
        let answer = fixture.post(&event("Car", "a", &json!({}))).await;
        last = Some(answer.json()["message"].clone());
        if last == Some(json!("the database cancelled the statement: retry later")) {
            break;
        }
    }
    assert_eq!(
        last,
        Some(json!("the database cancelled the statement: retry later"))
    );
    fixture.service.told("57014 query_canceled");
    client.batch_execute(&set("0")).await.unwrap();
    for n in 0..5 {
        let answer = fixture.post(&event("Car", "a", &json!({}))).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
    }
}

/// Makes writes of the id fail with that error.
async fn raise(client: &Client, id: &str, code: &str) {
    client
        .batch_execute(&format!(
            "CREATE FUNCTION raise_{id}() RETURNS trigger LANGUAGE plpgsql AS \
             $$BEGIN RAISE EXCEPTION 'secret detail' USING ERRCODE = '{code}'; END$$; \
             CREATE TRIGGER raise_{id} BEFORE INSERT ON car_entities FOR EACH ROW \
             WHEN (NEW.id = '{id}') EXECUTE FUNCTION raise_{id}()"
        ))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_is_told_and_logged_by_its_name() {
    let settings = [
        ("DATABASE_ACQUIRE_TIMEOUT", "200ms"),
        ("REQUEST_TIMEOUT", "1s"),
    ];
    for (code, condition, status, message) in [
        (
            "55P03",
            "lock_not_available",
            503,
            "another transaction holds a lock on the data: retry later",
        ),
        (
            "40001",
            "serialization_failure",
            503,
            "concurrent transactions were in conflict: retry later",
        ),
        (
            "40P01",
            "deadlock_detected",
            503,
            "concurrent transactions were in conflict: retry later",
        ),
        (
            "25006",
            "read_only_sql_transaction",
            503,
            "the database is read-only: retry later",
        ),
        (
            "53100",
            "disk_full",
            503,
            "the database has no space left: retry later",
        ),
        (
            "53200",
            "out_of_memory",
            503,
            "the database lacks resources: retry later",
        ),
        (
            "53300",
            "too_many_connections",
            503,
            "the database takes no more connections: retry later",
        ),
        (
            "57014",
            "query_canceled",
            503,
            "the database cancelled the statement: retry later",
        ),
        (
            "57P01",
            "admin_shutdown",
            503,
            "the database is starting or stopping: retry later",
        ),
        ("42501", "insufficient_privilege", 500, "internal error"),
        (
            "23514",
            "23514",
            400,
            "the database refused the event's values",
        ),
    ] {
        let fixture = Fixture::start_with(&settings).await;
        raise(&fixture.database.client().await, "bad", code).await;
        let answer = fixture.post(&event("Car", "bad", &json!({}))).await;
        let told = (answer.status, answer.json()["message"].clone());
        assert_eq!(told, (status, json!(message)), "{code}");
        assert!(!answer.text().contains("secret"), "{}", answer.text());
        let line = fixture.service.told(condition);
        assert!(line.contains("secret detail"), "{code}: {line}");
        let log = fixture.service.log();
        assert!(!log.contains("cannot be reached"), "{code}: {log}");
        // It concerns nobody else.
        let answer = fixture.post(&event("Car", "good", &json!({}))).await;
        assert_eq!(answer.status, 200, "{code}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_with_other_transactions_are_tried_again() {
    let fixture = Fixture::start().await;
    let maintenance = maintenance(testkit::postgres::shared()).await;
    let name = fixture.database.name();
    let isolation =
        format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'");
    maintenance.batch_execute(&isolation).await.unwrap();
    end_sessions(&maintenance, &fixture.database).await;
    wait_for_health(&fixture, 200).await;
    assert_eq!(
        fixture.post(&event("Car", "hot", &json!({}))).await.status,
        200
    );
    let mut client = fixture.database.client().await;
    for round in 0..5 {
        let update = client.transaction().await.unwrap();
        update
            .batch_execute(
                "UPDATE car_entities SET data = data || '{\"other\": 1}' WHERE id = 'hot'",
            )
            .await
            .unwrap();
        let address = fixture.service.http();
        let body = event("Car", "hot", &json!({format!("k{round}"): round})).to_string();
        let waiting = tokio::spawn(async move { http::post_json(address, EVENTS, body).await });
        // Its statement waits for the row: committed now, the update makes it fail with 40001.
        loop {
            let waits = maintenance
                .query_one(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event_type = 'Lock'",
                    &[&name],
                )
                .await
                .unwrap();
            if waits.get::<_, i64>(0) > 0 || waiting.is_finished() {
                break;
            }
        }
        update.commit().await.unwrap();
        let answer = waiting.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let stored = fixture.stored("Car", "hot").await.unwrap();
    assert_eq!(stored.as_object().map(serde_json::Map::len), Some(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_speaks_against_the_health_and_heals() {
    let fixture = Fixture::start_with(&[("DATABASE_ACQUIRE_TIMEOUT", "200ms")]).await;
    let client = fixture.database.client().await;
    raise(&client, "bad", "53100").await;
    assert_eq!(
        fixture.post(&event("Car", "bad", &json!({}))).await.status,
        503
    );
    let health = http::get(fixture.service.http(), HEALTH).await;
    let told = json!("the database has no space left: retry later");
    assert_eq!((health.status, &health.json()["message"]), (503, &told));
    client
        .batch_execute("DROP TRIGGER raise_bad ON car_entities")
        .await
        .unwrap();
    assert_eq!(
        fixture.post(&event("Car", "bad", &json!({}))).await.status,
        200
    );
    assert_eq!(http::get(fixture.service.http(), HEALTH).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_producers_that_merge_into_the_same_entities_lose_nothing() {
    let database = Database::fresh().await;
    let services: Vec<_> = (0..4)
        .map(|_| serve(database.url(), &[("MAX_BATCH_EVENTS", "16")]))
        .collect();
    let posts = services.iter().enumerate().flat_map(|(service, process)| {
        let address = process.http();
        (0..50).map(move |n| async move {
            let entities: Vec<_> = (0..4)
                .map(|entity| {
                    let id = format!("hot-{}", (entity + service) % 4);
                    crate::support::entity("Car", &id, &json!({format!("s{service}n{n}"): n}))
                })
                .collect();
            let event =
                json!({"eventHeader": {"eventName": "Test"}, "eventBody": {"entities": entities}});
            http::post_json(address, EVENTS, event.to_string())
                .await
                .status
        })
    });
    let statuses = futures_util::future::join_all(posts).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    for entity in 0..4 {
        let stored = crate::support::stored(database.url(), "Car", &format!("hot-{entity}")).await;
        let stored = stored.unwrap();
        assert_eq!(stored.as_object().map(serde_json::Map::len), Some(200));
    }
}
