use std::path::Path;
use std::time::{Duration, Instant};

use testkit::Database;
use testkit::postgres::{Server, connect};

async fn data_directory(server: &Server) -> String {
    let client = connect(&server.url("postgres")).await;
    client
        .query_one("SHOW data_directory", &[])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn databases_are_apart() {
    let (one, other) = (Database::fresh().await, Database::fresh().await);
    one.client()
        .await
        .batch_execute("CREATE TABLE t ()")
        .await
        .unwrap();
    other
        .client()
        .await
        .batch_execute("CREATE TABLE t ()")
        .await
        .unwrap();
    assert_ne!(one.url(), other.url());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_starts_within_a_second_and_leaves_nothing() {
    drop(Database::fresh().await);
    let begun = Instant::now();
    let server = Server::start();
    let took = begun.elapsed();
    let folder = data_directory(&server).await;
    // Under Docker the folder is elsewhere, and a start takes seconds.
    if Path::new(&folder).is_dir() {
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    drop(server);
    assert!(!Path::new(&folder).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_its_data_when_stopped_and_killed() {
    let mut server = Server::start_with(&[("max_connections", "23")]);
    let port = server.port();
    let database = Database::fresh_on(&server).await;
    let client = database.client().await;
    client
        .batch_execute("CREATE TABLE kept AS SELECT 1 AS n")
        .await
        .unwrap();

    server.stop();
    let error = client.simple_query("SELECT 1").await.unwrap_err();
    assert!(error.is_closed() || error.code().is_some(), "{error:?}");
    server.start_again();
    let client = database.client().await;
    client
        .batch_execute("INSERT INTO kept VALUES (2)")
        .await
        .unwrap();

    server.kill();
    assert!(client.simple_query("SELECT 1").await.is_err());
    server.start_again();
    assert_eq!(server.port(), port);
    let client = database.client().await;
    let rows: i64 = client
        .query_one("SELECT count(*) FROM kept", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 2);
    let connections: String = client
        .query_one("SHOW max_connections", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(connections, "23");
}
