//! The circuit breaker: nobody waits for a database that is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use runtime::config::DatabaseConfig;
use runtime::metrics::Metrics;
use runtime::postgres::{Cause, Database, DatabaseError};
use testkit::postgres::Server;
use testkit::{at_once, eventually};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        database_url: url.parse().unwrap(),
        database_pool_size: 5.try_into().unwrap(),
        database_acquire_timeout: Duration::from_millis(300),
    }
}

async fn connect(url: &str) -> Database {
    let stop = CancellationToken::new();
    Database::connect(&config(url), &stop).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_told_at_once_until_it_is_back() {
    let mut server = Server::start();
    let fresh = testkit::Database::fresh_on(&server).await;
    let database = connect(fresh.url()).await;
    let metrics = Metrics::new().unwrap();
    database.register(&metrics).unwrap();
    for times in 1..=2 {
        assert!(database.check().is_ok());
        server.stop();
        eventually("it opens", async || {
            // Somebody has to ask: nothing is probed while all is well.
            drop(database.get().await);
            database.check().is_err()
        })
        .await;
        at_once("no database", async || {
            let error = database.get().await.expect_err("a refusal");
            assert!(matches!(error, DatabaseError::Away(_)), "{error:?}");
            let error = database.ping().await.expect_err("a refusal");
            assert!(matches!(error, DatabaseError::Away(_)), "{error:?}");
        })
        .await;
        let text = metrics.render().unwrap();
        assert!(text.contains("\ndatabase_breaker_open 1\n"), "{text}");
        server.start_again();
        // By itself: nobody asks.
        let back = tokio::time::timeout(Duration::from_secs(10), database.reachable()).await;
        assert!(back.is_ok(), "it stays open");
        database.ping().await.unwrap();
        let text = metrics.render().unwrap();
        assert!(text.contains("\ndatabase_breaker_open 0\n"), "{text}");
        let opened = format!("\ndatabase_breaker_opened_total {times}\n");
        assert!(text.contains(&opened), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_statements_and_ended_sessions_do_not_open_it() {
    let fresh = testkit::Database::fresh().await;
    let database = connect(fresh.url()).await;
    let metrics = Metrics::new().unwrap();
    database.register(&metrics).unwrap();
    let locker = fresh.client().await;
    locker
        .batch_execute("CREATE TABLE held (x int); BEGIN; LOCK TABLE held")
        .await
        .unwrap();
    for statement in [
        "SELECT 1/0",
        "SELECT * FROM missing",
        "SET lock_timeout = '50ms'; SELECT * FROM held",
        "SET statement_timeout = '50ms'; SELECT pg_sleep(5)",
        "SELECT pg_terminate_backend(pg_backend_pid())",
    ] {
        for _ in 0..5 {
            let connection = database.connection().await.unwrap();
            let failed = connection.batch_execute(statement).await.unwrap_err();
            let error = DatabaseError::from(failed);
            database.note(&error);
            connection.give_back_after(&Err::<(), _>(error));
        }
        assert!(database.check().is_ok(), "{statement}");
    }
    let text = metrics.render().unwrap();
    assert!(
        text.contains("\ndatabase_breaker_opened_total 0\n"),
        "{text}"
    );
}

/// Connections that a server has that never answers: now, and at most since it was set.
#[derive(Debug, Default)]
struct Seen {
    open: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_sees_one_probe_at_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgresql://me@{}/x", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let accepting = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                let now = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
                seen.most.fetch_max(now, Ordering::SeqCst);
                seen.all.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    // Until the client closes.
                    let mut bytes = [0; 512];
                    while let Ok(1..) = client.read(&mut bytes).await {}
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        }
    });
    let database = Database::open(&config(&url)).unwrap();
    let error = database.get().await.expect_err("no answer");
    assert_eq!(error.cause(), Cause::Unreachable);
    assert!(database.check().is_err(), "a time limit is enough to know");
    eventually("the first connection is given up", async || {
        seen.open.load(Ordering::SeqCst) <= 1
    })
    .await;
    seen.most.store(0, Ordering::SeqCst);
    let before = seen.all.load(Ordering::SeqCst);
    eventually("probes go on", async || {
        let callers = (0..50).map(|_| database.get());
        let answers = futures_util::future::join_all(callers).await;
        assert!(answers.iter().all(Result::is_err));
        seen.all.load(Ordering::SeqCst) >= before + 2
    })
    .await;
    assert_eq!(seen.most.load(Ordering::SeqCst), 1);
    accepting.abort();
}
