use std::time::{Duration, Instant};

use runtime::config::DatabaseConfig;
use runtime::health::Health;
use runtime::postgres::{Database, DatabaseErrorKind, Schema};
use testkit::postgres::Server;
use testkit::proxy::Proxy;
use tokio_util::sync::CancellationToken;

mod embedded {
    refinery::embed_migrations!("tests/it/migrations");
}

fn schema(lock: i64) -> Schema {
    Schema {
        history: "refinery_schema_history",
        migrations: embedded::migrations::runner(),
        lock,
        needs: &[("probe", &["x"])],
    }
}

fn config(url: &str, pool_size: usize) -> DatabaseConfig {
    DatabaseConfig {
        database_url: url.parse().unwrap(),
        database_pool_size: pool_size.try_into().unwrap(),
        database_acquire_timeout: Duration::from_secs(2),
    }
}

async fn connect(url: &str, pool_size: usize) -> Database {
    Database::connect(&config(url, pool_size), &CancellationToken::new())
        .await
        .unwrap()
}

async fn until(
    what: &str,
    patience: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> Duration {
    let begun = Instant::now();
    while !condition().await {
        assert!(
            begun.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

#[tokio::test]
async fn twenty_services_that_start_at_once_apply_the_schema_once() {
    let fresh = testkit::Database::fresh().await;
    let starts: Vec<_> = (0..20)
        .map(|_| {
            let url = fresh.url().to_owned();
            tokio::spawn(async move {
                let database = connect(&url, 1).await;
                database.migrate(schema(4711)).await.unwrap();
                // The connection is as it was: no lock held, no setting changed.
                let client = database.get().await.unwrap();
                let row = client
                    .query_one(
                        "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
                         current_setting('lock_timeout')",
                        &[],
                    )
                    .await
                    .unwrap();
                (row.get::<_, i64>(0), row.get::<_, String>(1))
            })
        })
        .collect();
    for start in starts {
        assert_eq!(start.await.unwrap(), (0, "0".to_owned()));
    }
    let client = fresh.client().await;
    let applied = client
        .query_one("SELECT count(*) FROM refinery_schema_history", &[])
        .await
        .unwrap();
    assert_eq!(applied.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_failed_migration_releases_the_lock() {
    let fresh = testkit::Database::fresh().await;
    fresh
        .client()
        .await
        .batch_execute("CREATE TABLE probe (x text)")
        .await
        .unwrap();
    let database = connect(fresh.url(), 2).await;
    let error = database.migrate(schema(4712)).await.unwrap_err();
    assert!(format!("{error:#}").contains("probe"), "{error:#}");
    let client = fresh.client().await;
    until("the lock is free", Duration::from_secs(5), async || {
        client
            .query_one("SELECT pg_try_advisory_lock(4712)", &[])
            .await
            .unwrap()
            .get(0)
    })
    .await;
}

#[tokio::test]
async fn no_database_is_an_error_that_names_the_setting_and_hides_the_password() {
    let url = "postgresql://someone:hidden@127.0.0.1:1/cars";
    let begun = Instant::now();
    let error = Database::connect_within(
        &config(url, 1),
        &CancellationToken::new(),
        Duration::from_millis(2500),
    )
    .await
    .unwrap_err();
    let took = begun.elapsed();
    let message = format!("{error:#}");
    assert!(
        message.contains("DATABASE_URL postgresql://someone:***@127.0.0.1:1/cars"),
        "{message}"
    );
    assert!(message.contains("refused"), "{message}");
    assert!(!message.contains("hidden"), "{message}");
    assert!(
        took > Duration::from_millis(1500) && took < Duration::from_secs(4),
        "{took:?}"
    );
}

#[tokio::test]
async fn waiting_for_the_database_ends_at_the_stop() {
    let stop = CancellationToken::new();
    stop.cancel();
    let begun = Instant::now();
    let error = Database::connect(&config("postgresql://me@127.0.0.1:1/cars", 1), &stop).await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("stopped"), "{error}");
    // A stop is no fault of the process.
    assert!(error.is::<runtime::Stopped>());
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn commits_are_durable_whatever_the_role_says() {
    let fresh = testkit::Database::fresh().await;
    for (default, expected) in [("off", "on"), ("local", "local")] {
        let url = format!(
            "{}?options=-c%20synchronous_commit%3D{default}",
            fresh.url()
        );
        let database = connect(&url, 1).await;
        let client = database.get().await.unwrap();
        let row = client
            .query_one("SHOW synchronous_commit", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, String>(0), expected);
    }
}

#[tokio::test]
async fn the_pool_size_is_the_number_of_all_connections() {
    let fresh = testkit::Database::fresh().await;
    let database = connect(fresh.url(), 1).await;
    let held = database.get().await.unwrap();
    let begun = Instant::now();
    let error = database.get().await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Unavailable);
    assert!(!error.is_connection_lost());
    assert_eq!(begun.elapsed().as_secs(), 2);
    assert_eq!(database.connections(), (1, 1));
    drop(held);
    drop(database.get().await.unwrap());
    assert_eq!(database.connections(), (1, 0));
    let name: String = database
        .get()
        .await
        .unwrap()
        .query_one("SHOW application_name", &[])
        .await
        .unwrap()
        .get(0);
    assert!(name.starts_with("it-"), "{name}");
}

#[tokio::test]
async fn what_is_lent_comes_off_the_pool() {
    let fresh = testkit::Database::fresh().await;
    let database = connect(fresh.url(), 4).await;
    let lent = database.lend(2, 3).expect("one may go");
    assert!(database.lend(1, 3).is_none(), "three are kept");
    let mine = lent.connection().await.unwrap();
    let mut held = Vec::new();
    // The place that was lent is given up when a connection comes back to it.
    for _ in 0..4 {
        held.push(database.get().await.unwrap());
    }
    held.clear();
    assert_eq!(database.connections(), (3, 0));
    for _ in 0..3 {
        held.push(database.get().await.unwrap());
    }
    assert!(!lent.has_idle());
    for all_in_use in [&lent, &database] {
        let error = all_in_use.get().await.unwrap_err();
        assert_eq!(error.kind(), DatabaseErrorKind::Unavailable);
    }
    mine.give_back();
    assert!(lent.has_idle());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_heals_after_a_restart_without_an_error_more() {
    let mut server = Server::start();
    let fresh = testkit::Database::fresh_on(&server).await;
    let database = connect(fresh.url(), 5).await;
    let health = Health::new();
    let stop = CancellationToken::new();
    let probing = tokio::spawn({
        let (health, database, stop) = (health.clone(), database.clone(), stop.clone());
        async move { health.probe(&database, &stop).await }
    });
    until("serving", Duration::from_secs(5), async || {
        health.is_serving()
    })
    .await;

    for crash in [false, true] {
        // Five connections, all idle in the pool when the server goes.
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(database.get().await.unwrap());
        }
        drop(clients.split_off(1));
        let busy =
            tokio::spawn(async move { clients[0].simple_query("SELECT pg_sleep(60)").await });
        let observer = testkit::postgres::connect(fresh.url()).await;
        testkit::eventually("the statement is under way", async || {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            let row = observer.query_one(sql, &[]).await.unwrap();
            row.get::<_, i64>(0) == 1
        })
        .await;

        if crash {
            server.kill()
        } else {
            server.stop()
        }
        let error = busy.await.unwrap().unwrap_err();
        let error = runtime::postgres::DatabaseError::from(error);
        assert_eq!(
            error.kind(),
            DatabaseErrorKind::Unavailable,
            "{}",
            error.chain()
        );
        assert!(error.is_connection_lost(), "{}", error.chain());

        let error = database.ping().await.unwrap_err();
        assert_eq!(
            error.kind(),
            DatabaseErrorKind::Unavailable,
            "{}",
            error.chain()
        );
        let noticed = until("not serving", Duration::from_secs(3), async || {
            !health.is_serving()
        })
        .await;
        assert!(noticed < Duration::from_secs(2), "{noticed:?}");

        server.start_again();
        database.reachable().await;
        // Not one error: connections that died are not handed out.
        for _ in 0..20 {
            database
                .get()
                .await
                .unwrap()
                .simple_query("SELECT 1")
                .await
                .unwrap();
        }
        until("serving again", Duration::from_secs(3), async || {
            health.is_serving()
        })
        .await;
    }
    stop.cancel();
    probing.await.unwrap();
    assert!(!health.is_serving());
}

#[tokio::test]
async fn a_frozen_network_is_noticed_in_time() {
    let fresh = testkit::Database::fresh().await;
    let server = format!("127.0.0.1:{}", testkit::postgres::shared().port())
        .parse()
        .unwrap();
    let proxy = Proxy::start(server).await.unwrap();
    let url = format!("postgresql://postgres@{}/{}", proxy.address(), fresh.name());
    let database = connect(&url, 2).await;
    proxy.freeze();
    let begun = Instant::now();
    let error = database.ping().await.unwrap_err();
    assert_eq!(error.kind(), DatabaseErrorKind::Unavailable);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    proxy.open();
    database.reachable().await;
    database.ping().await.unwrap();
}

#[tokio::test]
async fn a_busy_pool_is_no_lost_database() {
    let fresh = testkit::Database::fresh().await;
    let database = connect(fresh.url(), 1).await;
    let health = Health::new();
    let stop = CancellationToken::new();
    let probing = tokio::spawn({
        let (health, database, stop) = (health.clone(), database.clone(), stop.clone());
        async move { health.probe(&database, &stop).await }
    });
    until("serving", Duration::from_secs(5), async || {
        health.is_serving()
    })
    .await;
    let held = database.get().await.unwrap();
    // Time itself is tested: several probes find no connection free.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(health.is_serving());
    drop(held);
    stop.cancel();
    probing.await.unwrap();
}
