//! Connecting, migrating, losing the server.

use std::time::{Duration, Instant};

use metrics_db::{Error, MetricsDbConfig, Store};
use testkit::Database;
use testkit::postgres::Server;

use crate::{config, fresh_store, new_run};

#[tokio::test]
async fn nobody_listens_names_host_and_port_within_the_limit() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let config = MetricsDbConfig {
        host: "127.0.0.1".into(),
        port,
        password: "s3cret".into(),
        connect_timeout: Duration::from_millis(600),
        ..Default::default()
    };
    let begun = Instant::now();
    let error = Store::connect(&config)
        .await
        .expect_err("nobody listens")
        .to_string();
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(
        error.contains("DB_HOST") && error.contains("tried"),
        "{error}"
    );
    assert!(!error.contains("s3cret"), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn no_such_database_is_not_tried_again() {
    let database = Database::fresh().await;
    let config = MetricsDbConfig {
        name: "nowhere".into(),
        ..config(&database)
    };
    let begun = Instant::now();
    let error = Store::connect(&config).await.expect_err("no such database");
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_comes_late_is_waited_for() {
    let mut server = tokio::task::spawn_blocking(Server::start)
        .await
        .expect("server");
    let database = Database::fresh_on(&server).await;
    let config = MetricsDbConfig {
        port: server.port(),
        connect_timeout: Duration::from_secs(20),
        ..config(&database)
    };
    server.stop();
    let waiting = tokio::spawn(async move { Store::connect(&config).await });
    let server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    });
    let _server = server.await.expect("started again");
    waiting
        .await
        .expect("task")
        .expect("connected")
        .ping()
        .await
        .expect("answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_migrate_at_once() {
    let database = Database::fresh().await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let config = config(&database);
            tokio::spawn(async move { Store::connect(&config).await?.migrate().await })
        })
        .collect();
    for task in tasks {
        task.await.expect("task").expect("migrated");
    }
    let client = database.client().await;
    let applied: i64 = client
        .query_one("SELECT count(*) FROM refinery_schema_history", &[])
        .await
        .expect("history")
        .get(0);
    let files = std::fs::read_dir("../../../load-test/shared/migrations")
        .expect("migrations")
        .count();
    assert_eq!(applied, files as i64);
}

#[tokio::test]
async fn every_column_has_a_comment() {
    let (_store, database) = fresh_store().await;
    let client = database.client().await;
    let bare = client
        .query(
            "SELECT c.relname || '.' || a.attname
             FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
                 AND c.relname <> 'refinery_schema_history' AND NOT a.attisdropped
                 AND col_description(c.oid, a.attnum) IS NULL",
            &[],
        )
        .await
        .expect("catalogue");
    let bare: Vec<String> = bare.iter().map(|row| row.get(0)).collect();
    assert!(bare.is_empty(), "columns without a comment: {bare:?}");
}

#[tokio::test]
async fn the_store_heals_after_a_restart_of_the_server() {
    let mut server = tokio::task::spawn_blocking(Server::start)
        .await
        .expect("server");
    let database = Database::fresh_on(&server).await;
    let config = MetricsDbConfig {
        port: server.port(),
        ..config(&database)
    };
    let store = Store::connect(&config).await.expect("connect");
    store.migrate().await.expect("migrate");
    server.kill();
    assert!(
        store
            .create_run(&new_run("producer-rest", "a"))
            .await
            .is_err()
    );
    let _server = tokio::task::spawn_blocking(move || {
        server.start_again();
        server
    })
    .await
    .expect("started again");
    store
        .create_run(&new_run("producer-rest", "a"))
        .await
        .expect("healed");
}
