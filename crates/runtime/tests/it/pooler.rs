//! A pooler in transaction mode between the service and PostgreSQL.

use std::time::Duration;

use runtime::config::DatabaseConfig;
use runtime::postgres::{Database, Pooling};
use testkit::pooler::{Mode, Pooler};
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

async fn through(pooler: &Pooler, database: &testkit::Database, size: usize) -> Database {
    let url = format!(
        "postgresql://postgres@{}/{}",
        pooler.address(),
        database.name()
    );
    let config = DatabaseConfig {
        database_url: url.parse().unwrap(),
        database_pool_size: size.try_into().unwrap(),
        database_acquire_timeout: Duration::from_secs(5),
    };
    Database::connect(&config, &CancellationToken::new())
        .await
        .unwrap()
}

fn server() -> std::net::SocketAddr {
    format!("127.0.0.1:{}", testkit::postgres::shared().port())
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_transaction_mode_is_noticed_and_statements_are_not_mixed_up() {
    let fresh = testkit::Database::fresh().await;
    let pooler = Pooler::start(server(), Mode::Transaction { sessions: 3 }).await;
    let database = through(&pooler, &fresh, 4).await;
    assert!(database.is_pooled());
    assert_eq!(database.pooling().await.unwrap(), Pooling::Transaction);
    // Two statements of the same shape from connections that share sessions.
    let asks = (0..200i32).map(|n| {
        let database = database.clone();
        tokio::spawn(async move {
            let connection = database.connection().await.unwrap();
            let (statement, expected) = if n % 2 == 0 {
                ("SELECT $1 + 1000", n + 1000)
            } else {
                ("SELECT $1 - 1000", n - 1000)
            };
            let rows = connection
                .query(statement, &[(&n, Type::INT4)])
                .await
                .unwrap();
            assert_eq!(rows[0].get::<_, i32>(0), expected);
            connection.give_back();
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
    // No session of the pooler keeps anything of ours.
    for _ in 0..3 {
        let connection = database.connection().await.unwrap();
        let rows = connection
            .query(
                "SELECT (SELECT count(*) FROM pg_prepared_statements), \
                 (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')",
                &[],
            )
            .await
            .unwrap();
        assert_eq!((rows[0].get::<_, i64>(0), rows[0].get::<_, i64>(1)), (0, 0));
        connection.give_back();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_comes_later_is_noticed_by_the_first_statement_that_is_missing() {
    let fresh = testkit::Database::fresh().await;
    let pooler = Pooler::start(server(), Mode::Transaction { sessions: 2 }).await;
    let url = format!(
        "postgresql://postgres@{}/{}",
        pooler.address(),
        fresh.name()
    );
    let config = DatabaseConfig {
        database_url: url.parse().unwrap(),
        database_pool_size: 3.try_into().unwrap(),
        database_acquire_timeout: Duration::from_secs(5),
    };
    // Opened without a look at what stands between.
    let database = Database::open(&config).unwrap();
    assert!(!database.is_pooled());
    let asks = (0..50i32).map(|n| {
        let database = database.clone();
        tokio::spawn(async move {
            let connection = database.connection().await.unwrap();
            let rows = connection
                .query("SELECT $1 + 1", &[(&n, Type::INT4)])
                .await
                .unwrap();
            assert_eq!(rows[0].get::<_, i32>(0), n + 1);
            connection.give_back();
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        ask.await.unwrap();
    }
    assert!(database.is_pooled());
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_their_own_are_told_apart() {
    let fresh = testkit::Database::fresh().await;
    let pooler = Pooler::start(server(), Mode::Session).await;
    let database = through(&pooler, &fresh, 2).await;
    assert_eq!(database.pooling().await.unwrap(), Pooling::Session);
    let direct = format!("{}?application_name=direct", fresh.url());
    let config = DatabaseConfig {
        database_url: direct.parse().unwrap(),
        database_pool_size: 1.try_into().unwrap(),
        database_acquire_timeout: Duration::from_secs(2),
    };
    let database = Database::connect(&config, &CancellationToken::new())
        .await
        .unwrap();
    assert!(!database.is_pooled());
    assert_eq!(database.pooling().await.unwrap(), Pooling::Session);
}
